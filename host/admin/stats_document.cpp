#include "admin/stats_document.hpp"

#include <string>
#include <utility>

#include "dispatch/peer.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

using nlohmann::json;

namespace {

json outcomes_of(const CallCounts& counts) {
  json outcomes = json::object();
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    if (counts.outcomes[i] != 0) outcomes[std::string(kOutcomeNames[i])] = counts.outcomes[i];
  }
  return outcomes;
}

json durations_of(const DurationCounts& durations) {
  json steps = json::array();
  for (std::size_t i = 0; i < kDurationCounts; ++i) {
    if (durations.counts[i] == 0) continue;
    const json step = i < kDurationSteps.size() ? json(kDurationSteps[i] / kMicrosecond) : json(nullptr);
    steps.push_back({step, durations.counts[i]});
  }
  return {{"sum", durations.sum / kMicrosecond}, {"buckets", std::move(steps)}};
}

json services_of(Node& node) {
  json list = json::array();
  for (const ServiceStats& service : node.dispatcher().service_stats()) {
    list.push_back({{"service", service.key.service},
                    {"plugin", service.key.plugin},
                    {"version", service.key.version},
                    {"queued", service.queued},
                    {"running", service.running},
                    {"deferred", service.deferred},
                    {"calls", outcomes_of(service.counts)},
                    {"queued_us", durations_of(service.counts.queued)},
                    {"running_us", durations_of(service.counts.running)},
                    {"duration_us", durations_of(service.counts.whole)}});
  }
  return list;
}

// Of the calls of this node at each of the others.
json remote_of(Node& node) {
  json list = json::array();
  for (const registry::NodeRow& row : node.nodes()) {
    const auto known = node.registry().find_node(row.name);
    if (known == nullptr) continue;
    const auto& peer = static_cast<const Peer&>(*known);
    const CallCounts counts = peer.stats().read();
    list.push_back({{"node", row.name},
                    {"pending", peer.pending()},
                    {"calls", outcomes_of(counts)},
                    {"duration_us", durations_of(counts.whole)}});
  }
  return list;
}

json nodes_of(const Node& node) {
  json list = json::array();
  for (const registry::NodeRow& row : node.nodes()) {
    list.push_back({{"name", row.name},
                    {"state", registry::name_of(row.state)},
                    {"round_trip_us", row.round_trip.count()},
                    {"services", row.services}});
  }
  return list;
}

json pool_of(const Node& node) {
  const PoolStats pool = node.pool_stats();
  return {{"threads", pool.live},
          {"max_threads", pool.max_threads},
          {"busy", pool.running},
          {"blocked", pool.blocked},
          {"queued", pool.queued}};
}

}  // namespace

json stats_document(Node& node, std::chrono::steady_clock::time_point started) {
  const auto uptime = std::chrono::steady_clock::now() - started;
  return {{"node", node.name()},
          {"at_us", now_ns() / kMicrosecond},
          {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
          {"pool", pool_of(node)},
          {"services", services_of(node)},
          {"remote", remote_of(node)},
          {"nodes", nodes_of(node)},
          {"unserved", node.dispatcher().calls_unserved()}};
}

}  // namespace busbar::host
