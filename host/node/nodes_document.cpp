#include "node/nodes_document.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

#include "log/text.hpp"

namespace busbar::host {

using nlohmann::json;

namespace {

json members_of(const Node& node) {
  json list = json::array();
  for (const registry::NodeRow& row : node.nodes()) {
    list.push_back({{"name", row.name},
                    {"state", registry::name_of(row.state)},
                    {"state_since", utc_text(row.state_since)},
                    {"address", row.call_address},
                    {"registry_address", row.registry_address},
                    {"incarnation", row.incarnation},
                    {"version", row.version},
                    {"since", utc_text(row.since)},
                    {"version_since", utc_text(row.version_since)},
                    {"round_trip_us", row.round_trip.count()},
                    {"services", row.services}});
  }
  return list;
}

json departed_of(const Node& node) {
  json list = json::array();
  for (const registry::DepartedRow& row : node.departed_nodes()) {
    list.push_back({{"name", row.name},
                    {"registry_address", row.registry_address},
                    {"incarnation", row.incarnation},
                    {"may_return", row.may_return},
                    {"since", utc_text(row.since)},
                    {"reason", row.reason}});
  }
  return list;
}

// This machine's clock, for others to compare theirs with.
std::int64_t milliseconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

json nodes_document(const Node& node) {
  return {{"nodes", members_of(node)},
          {"departed", departed_of(node)},
          {"insecure", node.insecure()},
          {"clock_ms", milliseconds_since_1970()}};
}

}  // namespace busbar::host
