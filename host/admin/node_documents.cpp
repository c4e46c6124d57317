#include "admin/node_documents.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "dispatch/instance.hpp"
#include "log/text.hpp"

namespace busbar::host {

using nlohmann::json;
using registry::ServiceEntry;

namespace {

constexpr std::uint32_t kDefaultTimeoutMs = 5'000;  // C-D5

const Endpoint& endpoint_of(const ServiceEntry& entry) { return static_cast<const Endpoint&>(*entry.local); }

// For callers of this node a private service hides those of other nodes (C-D12).
bool hides_others(const ServiceEntry& entry) {
  return entry.local != nullptr && entry.local->visibility() == registry::Visibility::private_;
}

json providers_of(const Node& node, const ServiceEntry& entry) {
  json names = json::array();
  if (entry.local != nullptr) names.push_back(node.name());
  if (!hides_others(entry)) {
    for (const auto& remote : entry.remote) names.push_back(remote.node->name());
  }
  return names;
}

json local_facts(const Node& node, const ServiceEntry& entry) {
  const Endpoint& endpoint = endpoint_of(entry);
  return {{"name", entry.name},
          {"visibility", endpoint.visibility() == registry::Visibility::public_ ? "public" : "private"},
          {"doc", endpoint.doc()},
          {"plugin", endpoint.router()},
          {"inline", endpoint.is_inline()},
          {"idempotent", endpoint.idempotent()},
          {"dry_run_safe", endpoint.dry_run_safe()},
          {"providers", providers_of(node, entry)}};
}

// What the plugin does not say is left out.
void add_json(json& document, const char* name, const std::string& text) {
  if (text.empty()) return;
  json value = json::parse(text, nullptr, false);
  if (!value.is_discarded()) document[name] = std::move(value);
}

// A record does not carry the documentation: `describe` asks for it.
json remote_facts(const Node& node, const ServiceEntry& entry) {
  const registry::RemoteService& service = *entry.remote.front().service;
  return {{"name", entry.name},
          {"visibility", "public"},
          {"doc", ""},
          {"plugin", service.router},
          {"inline", service.is_inline},
          {"idempotent", service.idempotent},
          {"dry_run_safe", service.dry_run_safe},
          {"providers", providers_of(node, entry)}};
}

}  // namespace

json services_document(const Node& node) {
  json list = json::array();
  for (const ServiceEntry& entry : node.registry().known_services()) {
    list.push_back(entry.local != nullptr ? local_facts(node, entry) : remote_facts(node, entry));
  }
  return {{"services", std::move(list)}};
}

std::optional<json> describe_local(const Node& node, std::string_view service) {
  // A copy: JSON is not made while lookups are held up.
  const auto entry = node.registry().lookup(
      service, [](const ServiceEntry* found) { return found != nullptr ? std::optional(*found) : std::nullopt; });
  if (!entry || entry->local == nullptr) return std::nullopt;
  const Endpoint& endpoint = endpoint_of(*entry);
  const std::uint32_t timeout = endpoint.default_timeout_ms();
  json document = local_facts(node, *entry);
  document["version"] = endpoint.instance().facts().version;
  document["timeout_ms"] = timeout != 0 ? timeout : kDefaultTimeoutMs;
  document["described_by"] = node.name();
  add_json(document, "request", endpoint.request_schema());
  add_json(document, "response", endpoint.response_schema());
  add_json(document, "example", endpoint.example());
  return document;
}

json nodes_document(const Node& node) {
  json list = json::array();
  for (const registry::NodeRow& row : node.nodes()) {
    list.push_back({{"name", row.name},
                    {"state", registry::name_of(row.state)},
                    {"address", row.call_address},
                    {"registry_address", row.registry_address},
                    {"incarnation", row.incarnation},
                    {"since", utc_text(row.since)},
                    {"round_trip_us", row.round_trip.count()},
                    {"services", row.services}});
  }
  return {{"nodes", std::move(list)}, {"insecure", node.insecure()}};
}

json cluster_status(const Node& node) {
  const registry::TableFacts table = node.registry().facts();
  const CallPlaneStats calls = node.call_stats();
  return {{"name", node.cluster_name()},
          {"nodes", node.nodes().size()},
          {"introduced", node.join_state() == JoinState::joined},
          {"address", node.address()},
          {"registry_address", node.registry_address()},
          {"insecure", node.insecure()},
          {"table", {{"version", table.version}, {"services", table.services}, {"age_ms", table.age.count()}}},
          {"calls",
           {{"connections", calls.connections},
            {"peers_up", calls.peers_up},
            {"refused", calls.refused},
            {"malformed", calls.malformed},
            {"unanswerable", calls.unanswerable}}}};
}

std::optional<bool> is_dry_run_safe(const Node& node, std::string_view service) {
  return node.registry().lookup(service, [](const ServiceEntry* entry) -> std::optional<bool> {
    if (entry == nullptr) return std::nullopt;
    if (entry->local != nullptr && !endpoint_of(*entry).dry_run_safe()) return false;
    return hides_others(*entry) || std::all_of(entry->remote.begin(), entry->remote.end(),
                                               [](const auto& remote) { return remote.service->dry_run_safe; });
  });
}

}  // namespace busbar::host
