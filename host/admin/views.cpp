#include "admin/views.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "log/text.hpp"

namespace busbar::host {

using nlohmann::json;

namespace {

/// A member as one node knows it.
struct Known {
  std::string state;
  std::string state_since;  // empty: a node of an older version does not tell, nor of the version
  std::uint64_t incarnation = 0;
  std::optional<std::uint64_t> version;
  std::string version_since;
};
struct Departed {
  bool may_return = false;
  std::string since;
  std::string reason;
};
struct Picture {
  std::map<std::string, Known> members;
  std::map<std::string, Departed> departed;
};

/// What the newest record of a node is, as far as anybody knows, and since when.
struct Newest {
  std::uint64_t incarnation = 0;
  std::uint64_t version = 0;
  std::string since;
};

// Errors: nlohmann::json::exception.
Picture picture_of(const json& document) {
  Picture picture;
  for (const json& row : document.at("nodes")) {
    Known known{
        row.at("state"), row.value("state_since", ""), row.at("incarnation"), {}, row.value("version_since", "")};
    if (row.contains("version")) known.version = row["version"].get<std::uint64_t>();
    picture.members.emplace(row.at("name"), std::move(known));
  }
  for (const json& row : document.value("departed", json::array())) {
    picture.departed.emplace(row.at("name"),
                             Departed{row.value("may_return", false), row.at("since"), row.at("reason")});
  }
  return picture;
}

/// The pictures of several nodes, by their names, side by side.
class Comparison {
 public:
  /// Takes the pictures out of the views, and says of those that have none why.
  explicit Comparison(std::vector<NodeView>& views) {
    for (NodeView& view : views) read(view);
    for (const auto& [node, picture] : pictures_) {
      for (const auto& [name, known] : picture.members) learn(known, newest_[name], node == name);
    }
    add_those_that_were_not_asked(views);
  }

  json differences_of(const NodeView& view) const {
    json out = json::array();
    const auto picture = pictures_.find(view.node);
    if (picture == pictures_.end()) {
      out.push_back({{"kind", "no_answer"}, {"node", view.node}, {"reason", view.error}});
      return out;
    }
    for (const auto& [peer, newest] : newest_) {
      const auto known = picture->second.members.find(peer);
      if (known == picture->second.members.end()) {
        out.push_back(not_seen(view.node, peer, picture->second));
      } else {
        add_differences(out, {{"node", view.node}, {"peer", peer}}, known->second, newest);
      }
    }
    add_lost(out, view.node, picture->second);
    return out;
  }

 private:
  void read(NodeView& view) {
    if (view.document.is_null()) return;
    try {
      pictures_.emplace(view.node, picture_of(view.document));
    } catch (const json::exception& unfit) {
      view.document = nullptr;
      view.error = "its answer cannot be read: " + std::string(unfit.what());
    }
  }

  // What a node says of itself is nearest to the truth.
  static void learn(const Known& known, Newest& newest, bool is_its_own) {
    const auto found = std::pair(known.incarnation, known.version.value_or(0));
    const auto best = std::pair(newest.incarnation, newest.version);
    if (found > best || (found == best && is_its_own)) newest = {found.first, found.second, known.version_since};
  }

  void add_those_that_were_not_asked(std::vector<NodeView>& views) const {
    const std::string asker = views.front().node;
    for (const auto& [name, newest] : newest_) {
      const auto is_it = [&name = name](const NodeView& view) { return view.node == name; };
      if (std::any_of(views.begin(), views.end(), is_it)) continue;
      views.push_back({.node = name, .error = "it was not asked, as " + asker + " does not see it"});
    }
  }

  static json not_seen(const std::string& node, const std::string& peer, const Picture& picture) {
    json out = {{"kind", "not_seen"}, {"node", node}, {"peer", peer}};
    if (const auto left = picture.departed.find(peer); left != picture.departed.end()) {
      out["since"] = left->second.since;
      out["reason"] = left->second.reason;
    }
    return out;
  }

  // Those that nobody sees any more, and of whom nobody knows that they have left.
  void add_lost(json& out, const std::string& node, const Picture& picture) const {
    for (const auto& [peer, left] : picture.departed) {
      if (!left.may_return || newest_.contains(peer)) continue;
      out.push_back({{"kind", "lost"}, {"node", node}, {"peer", peer}, {"since", left.since}, {"reason", left.reason}});
    }
  }

  static void add_differences(json& out, json difference, const Known& known, const Newest& newest) {
    if (known.incarnation < newest.incarnation) {
      difference.update({{"kind", "other_incarnation"}, {"incarnation", known.incarnation}});
      difference["newest"] = newest.incarnation;
      out.push_back(difference);
    } else if (known.version && *known.version < newest.version) {
      difference.update({{"kind", "behind"}, {"version", *known.version}, {"newest", newest.version}});
      if (!newest.since.empty()) difference["since"] = newest.since;
      out.push_back(difference);
    }
    if (known.state == "self" || known.state == "up") return;
    json other = {{"kind", known.state}, {"node", difference["node"]}, {"peer", difference["peer"]}};
    if (!known.state_since.empty()) other["since"] = known.state_since;
    out.push_back(std::move(other));
  }

  std::map<std::string, Picture> pictures_;
  std::map<std::string, Newest> newest_;
};

json row_of(NodeView& view) {
  if (view.document.is_null()) return {{"node", view.node}, {"error", view.error}};
  json row = {{"node", view.node},
              {"duration_us", view.took.count()},
              {"nodes", std::move(view.document["nodes"])},
              {"departed", view.document.value("departed", json::array())}};
  if (view.clock_ahead) row["clock_offset_ms"] = view.clock_ahead->count();
  return row;
}

}  // namespace

json views_document(std::vector<NodeView> views) {
  const Comparison comparison(views);
  json rows = json::array();
  json differences = json::array();
  for (NodeView& view : views) {
    for (json& difference : comparison.differences_of(view)) differences.push_back(std::move(difference));
    rows.push_back(row_of(view));
  }
  const bool agree = differences.empty();
  return {{"views", std::move(rows)}, {"differences", std::move(differences)}, {"agree", agree}};
}

}  // namespace busbar::host
