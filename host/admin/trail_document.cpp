#include "admin/trail_document.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace busbar::host {

using nlohmann::json;

namespace {

using Micros = std::int64_t;

struct Hop {
  std::string service, node, message_id, causation_id;
  std::string state;     // of one that goes on; else "ended"
  std::string outcome;   // as its caller heard it, where that is known
  std::string begun_at;  // whose clock `begun` is of: its caller's, where it tells
  Micros begun = 0;
  std::optional<Micros> asked;  // for who asked another node, from sending to answer, or so far
  std::optional<Micros> whole;  // for who served it
  std::optional<Micros> queued, running;

  std::optional<Micros> duration() const { return asked ? asked : whole ? whole : so_far(); }
  std::optional<Micros> so_far() const {
    if (!queued && !running) return std::nullopt;
    return queued.value_or(0) + running.value_or(0);
  }
  std::optional<Micros> wire() const {
    const auto there = whole ? whole : so_far();
    if (!asked || !there || state != "ended") return std::nullopt;
    return std::max<Micros>(*asked - *there, 0);
  }
};

using Key = std::pair<std::string, std::string>;  // message and node
using Hops = std::map<Key, Hop>;

bool is_elsewhere(const std::string& kind) { return kind == "asked" || kind == "sent"; }
bool goes_on(const std::string& kind) {
  return kind == "queued" || kind == "running" || kind == "deferred" || kind == "sent";
}

void take(Hops& hops, const std::string& told_by, const json& row) {
  const std::string kind = row.at("kind");
  const bool elsewhere = is_elsewhere(kind);
  const std::string node = elsewhere ? row.at("node").get<std::string>() : told_by;
  Hop& hop = hops[{row.at("message_id"), node}];
  hop.service = row.at("service");
  hop.node = node;
  hop.message_id = row.at("message_id");
  if (const std::string cause = row.at("causation_id"); !cause.empty()) hop.causation_id = cause;
  if (hop.begun_at.empty() || elsewhere) {
    hop.begun_at = told_by;
    hop.begun = row.at("begun_us");
  }
  if (kind == "sent") {
    hop.asked = row.at("running_us");
    if (hop.state.empty()) hop.state = "unanswered";
  } else if (kind == "asked") {
    hop.asked = row.at("duration_us");
    hop.outcome = row.at("outcome");
  } else if (kind == "ended") {
    hop.whole = row.at("duration_us");
    if (row.contains("running_us")) {
      hop.queued = row.at("queued_us");
      hop.running = row.at("running_us");
      hop.state = "ended";
    }
    if (hop.outcome.empty()) hop.outcome = row.at("outcome");
  } else {
    hop.queued = row.at("queued_us");
    hop.running = row.at("running_us");
    if (goes_on(kind)) hop.state = kind;
  }
  // What has ended is no more than that, also where it was seen going on a moment before.
  if (kind == "ran") hop.state = "ended";
}

// Those below it, in the order in which they were begun.
std::vector<const Hop*> below(const Hops& hops, const std::string& message_id) {
  std::vector<const Hop*> found;
  for (const auto& [key, hop] : hops) {
    if (hop.causation_id == message_id && hop.message_id != message_id) found.push_back(&hop);
  }
  std::sort(found.begin(), found.end(), [](const Hop* a, const Hop* b) {
    return std::tie(a->begun, a->message_id, a->node) < std::tie(b->begun, b->message_id, b->node);
  });
  return found;
}

std::string state_of(const Hop& hop) {
  if (!hop.state.empty()) return hop.state;
  return hop.whole || hop.outcome != "service_timeout" ? "ended" : "unanswered";
}

class Story {
 public:
  explicit Story(const Hops& hops) : hops_(hops) {
    for (const Hop* hop : roots()) tell(*hop, 0);
    for (const auto& [key, hop] : hops_) tell(hop, 0);  // such as cause each other
  }
  json hops() && { return std::move(told_); }
  const json& longest() const { return longest_; }

 private:
  std::vector<const Hop*> roots() const {
    std::set<std::string> messages;
    for (const auto& [key, hop] : hops_) messages.insert(hop.message_id);
    std::vector<const Hop*> found;
    for (const auto& [key, hop] : hops_) {
      const bool has_cause = hop.causation_id != hop.message_id && messages.contains(hop.causation_id);
      if (!has_cause) found.push_back(&hop);
    }
    std::sort(found.begin(), found.end(), [](const Hop* a, const Hop* b) { return a->begun < b->begun; });
    return found;
  }

  // A message of a hostile node may name itself as the cause of what has caused it: each hop is told of once.
  void tell(const Hop& hop, unsigned depth) {
    if (!seen_.insert(&hop).second) return;
    const std::vector<const Hop*> nested = below(hops_, hop.message_id);
    json row = {{"service", hop.service},
                {"node", hop.node},
                {"message_id", hop.message_id},
                {"depth", depth},
                {"state", state_of(hop)}};
    if (!hop.outcome.empty()) row["outcome"] = hop.outcome;
    put(row, "duration_us", hop.duration());
    put(row, "wire_us", hop.wire());
    put(row, "queued_us", hop.queued);
    put(row, "running_us", hop.running);
    put(row, "own_us", own_of(hop, nested));
    compare(hop, nested);
    told_.push_back(std::move(row));
    for (const Hop* next : nested) tell(*next, depth + 1);
  }

  static void put(json& row, const char* name, std::optional<Micros> value) {
    if (value) row[name] = *value;
  }

  // Those below may have gone on at the same time.
  static std::optional<Micros> own_of(const Hop& hop, const std::vector<const Hop*>& nested) {
    if (!hop.running) return std::nullopt;
    Micros own = *hop.running;
    for (const Hop* next : nested) own -= next->duration().value_or(0);
    return std::max<Micros>(own, 0);
  }

  void compare(const Hop& hop, const std::vector<const Hop*>& nested) {
    offer(hop, "queued", hop.queued);
    offer(hop, "running", own_of(hop, nested));
    offer(hop, "wire", hop.wire());
    if (!hop.whole && !hop.so_far()) offer(hop, "unanswered", hop.asked);
  }
  void offer(const Hop& hop, const char* part, std::optional<Micros> took) {
    if (!took || (!longest_.is_null() && longest_["duration_us"].get<Micros>() >= *took)) return;
    longest_ = {{"service", hop.service},
                {"node", hop.node},
                {"message_id", hop.message_id},
                {"part", part},
                {"duration_us", *took}};
  }

  const Hops& hops_;
  std::set<const Hop*> seen_;
  json told_ = json::array();
  json longest_;
};

}  // namespace

json trail_document(const TrailParts& parts) {
  Hops hops;
  for (const auto& [node, rows] : parts.rows) {
    for (const json& row : rows) take(hops, node, row);
  }
  Story story(hops);
  json document = {{"unreachable", parts.unreachable}};
  if (!story.longest().is_null()) document["longest"] = story.longest();
  document["hops"] = std::move(story).hops();
  return document;
}

}  // namespace busbar::host
