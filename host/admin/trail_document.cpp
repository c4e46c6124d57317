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

bool is_elsewhere(const std::string& kind) { return kind == "asked" || kind == "sent"; }
bool goes_on(const std::string& kind) {
  return kind == "queued" || kind == "running" || kind == "deferred" || kind == "sent";
}

struct Hop {
  std::string service, node, message_id, causation_id;
  std::string state;     // of one that goes on; else "ended"
  std::string outcome;   // as its caller heard it, where that is known
  std::string begun_at;  // whose clock `begun` is of: its caller's, where it tells
  Micros begun = 0;
  Micros begun_here = 0;        // the same by the clock of who served it, where that tells
  std::optional<Micros> asked;  // for who asked another node, from sending to answer, or so far
  std::optional<Micros> whole;  // for who served it
  std::optional<Micros> queued, running, deferred;

  std::optional<Micros> duration() const { return asked ? asked : whole ? whole : so_far(); }
  std::optional<Micros> so_far() const {
    if (!queued && !running) return std::nullopt;
    return queued.value_or(0) + running.value_or(0) + deferred.value_or(0);
  }
  // Of one that was given up its end is not what was waited for. Who served it has been asked later than that: what it
  // had taken there by then is the most that it can have taken, and the rest was on the way.
  std::optional<Micros> wire() const {
    const auto there = whole && !was_given_up() ? whole : so_far();
    if (!asked || !there) return std::nullopt;
    if (!was_given_up()) return state == "ended" ? std::optional(std::max<Micros>(*asked - *there, 0)) : std::nullopt;
    return goes_on(state) && *asked > *there ? std::optional(*asked - *there) : std::nullopt;
  }
  bool was_given_up() const { return outcome == "service_timeout"; }
};

using Key = std::pair<std::string, std::string>;  // message and node
using Hops = std::map<Key, Hop>;

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
  if (!elsewhere) hop.begun_here = row.at("begun_us");
  if (row.contains("deferred_us")) hop.deferred = row.at("deferred_us");
  if (kind == "sent") {
    hop.asked = row.at("running_us");
    if (hop.state.empty()) hop.state = "unanswered";
  } else if (kind == "asked") {
    hop.asked = row.at("duration_us");
    hop.outcome = row.at("outcome");
  } else if (kind == "ended") {
    hop.whole = row.at("duration_us");
    if (row.contains("queued_us")) hop.queued = row.at("queued_us");
    if (row.contains("running_us")) {
      hop.running = row.at("running_us");
      // Whose caller has given it up is still somebody's to answer.
      if (hop.state != "deferred" || row.at("outcome") != "service_timeout") hop.state = "ended";
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
    put(row, "deferred_us", hop.deferred);
    const Own own = own_of(hop, nested);
    if (own.running) row["own_us"] = *own.running + own.deferred.value_or(0);
    compare(hop, own);
    told_.push_back(std::move(row));
    for (const Hop* next : nested) tell(*next, depth + 1);
  }

  static void put(json& row, const char* name, std::optional<Micros> value) {
    if (value) row[name] = *value;
  }

  // What the hops below have not taken of its running, and of the time until somebody has answered in its stead.
  struct Own {
    std::optional<Micros> running, deferred;
  };
  static Own own_of(const Hop& hop, const std::vector<const Hop*>& nested) {
    if (!hop.running) return {};
    if (hop.deferred) {
      const Micros returned = hop.begun_here + hop.queued.value_or(0) + *hop.running;
      return {*hop.running - taken_of(hop, nested, returned - *hop.running, returned),
              *hop.deferred - taken_of(hop, nested, returned, returned + *hop.deferred)};
    }
    Micros own = *hop.running;
    for (const Hop* next : nested) own -= next->duration().value_or(0);
    return {std::max<Micros>(own, 0), {}};  // those below may have gone on at the same time
  }

  // How much of that time, by the clock of who served the hop, those below have gone on, of which several may have at
  // once. Those that this clock says nothing of are left out.
  static Micros taken_of(const Hop& hop, const std::vector<const Hop*>& nested, Micros from, Micros to) {
    Micros taken = 0;
    for (const Hop* next : nested) {
      if (next->begun_at != hop.node) continue;
      const Micros end = std::min(to, next->begun + next->duration().value_or(0));
      from = std::max(from, next->begun);
      if (end <= from) continue;
      taken += end - from;
      from = end;
    }
    return taken;
  }

  void compare(const Hop& hop, const Own& own) {
    offer(hop, "queued", hop.queued);
    offer(hop, "running", own.running);
    offer(hop, "deferred", own.deferred);
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
