#include "node/nodes_document.hpp"

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

}  // namespace

json nodes_document(const Node& node) {
  return {{"nodes", members_of(node)}, {"departed", departed_of(node)}, {"insecure", node.insecure()}};
}

}  // namespace busbar::host
