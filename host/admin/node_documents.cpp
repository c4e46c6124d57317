#include "admin/node_documents.hpp"

#include <busbar/wire/service_terms.hpp>

#include <algorithm>
#include <string>
#include <utility>

#include "dispatch/instance.hpp"
#include "log/text.hpp"

namespace busbar::host {

using nlohmann::json;
using registry::ServiceEntry;

namespace {

const Endpoint& endpoint_of(const Reachable& there) { return static_cast<const Endpoint&>(*there.local); }

json providers_of(const Node& node, const Reachable& there) {
  json names = json::array();
  if (there.local != nullptr) names.push_back(node.name());
  for (const auto& remote : there.remote) names.push_back(remote.node->name());
  return names;
}

void add_strategy(json& document, Strategy strategy, const std::string& sticky_field) {
  document["strategy"] = strategy == Strategy::standard ? "random" : name_of(strategy);
  if (!sticky_field.empty()) document["sticky_field"] = sticky_field;
}

// Its own, and that of all services of its plugin together, where inline ones do not count.
void add_limits(json& document, const Endpoint& endpoint) {
  const busbar_service& service = endpoint.whole_service();
  const busbar_router& router = endpoint.instance().router();
  wire::put_limit(document, {service.max_running, service.max_queued});
  if (router.max_running == 0 || endpoint.is_inline()) return;
  wire::put_limit(document["plugin_limit"], {router.max_running, router.max_queued});
}

json local_facts(const Node& node, const Reachable& there) {
  const Endpoint& endpoint = endpoint_of(there);
  json facts = {{"name", endpoint.service()},
                {"visibility", endpoint.visibility() == registry::Visibility::public_ ? "public" : "private"},
                {"doc", endpoint.doc()},
                {"plugin", endpoint.router()},
                {"inline", endpoint.is_inline()},
                {"idempotent", endpoint.idempotent()},
                {"dry_run_safe", endpoint.dry_run_safe()},
                {"providers", providers_of(node, there)}};
  add_strategy(facts, endpoint.declared().strategy, endpoint.declared().sticky_field);
  return facts;
}

// What the plugin does not say is left out.
void add_json(json& document, const char* name, const std::string& text) {
  if (text.empty()) return;
  json value = json::parse(text, nullptr, false);
  if (!value.is_discarded()) document[name] = std::move(value);
}

// A record does not carry the documentation: `describe` asks for it.
json remote_facts(const Node& node, const Reachable& there) {
  const registry::RemoteService& service = *there.remote.front().service;
  json facts = {{"name", service.name},
                {"visibility", "public"},
                {"doc", ""},
                {"plugin", service.router},
                {"inline", service.is_inline},
                {"idempotent", service.idempotent},
                {"dry_run_safe", service.dry_run_safe},
                {"providers", providers_of(node, there)}};
  add_strategy(facts, service.strategy, service.sticky_field);
  return facts;
}

}  // namespace

json services_document(const Node& node, CallerIs caller) {
  json list = json::array();
  for (const ServiceEntry& entry : node.registry().known_services()) {
    const Reachable there = reachable(&entry, caller);
    if (there.nobody()) continue;
    list.push_back(there.local != nullptr ? local_facts(node, there) : remote_facts(node, there));
  }
  return {{"services", std::move(list)}};
}

std::optional<json> describe_local(const Node& node, std::string_view service, CallerIs caller) {
  // A copy: JSON is not made while lookups are held up.
  const auto entry = node.registry().lookup(
      service, [](const ServiceEntry* found) { return found != nullptr ? std::optional(*found) : std::nullopt; });
  if (!entry) return std::nullopt;
  const Reachable there = reachable(&*entry, caller);
  if (there.local == nullptr) return std::nullopt;
  const Endpoint& endpoint = endpoint_of(there);
  const std::uint32_t timeout = endpoint.default_timeout_ms();
  json document = local_facts(node, there);
  document["version"] = endpoint.instance().facts().version;
  document["timeout_ms"] = timeout != 0 ? timeout : kUsualTimeoutMs;
  document["described_by"] = node.name();
  add_limits(document, endpoint);
  add_json(document, "request", endpoint.request_schema());
  add_json(document, "response", endpoint.response_schema());
  add_json(document, "example", endpoint.example());
  add_json(document, "example_assigns", endpoint.example_assigns());
  return document;
}

namespace {

json security_of(const Node& node) {
  json turned_away = json::object();
  for (std::size_t i = 0; i < registry::net::kTurnedAwayKinds; ++i) {
    const auto why = static_cast<registry::net::TurnedAway>(i);
    turned_away[std::string(registry::net::name_of(why))] = node.turned_away().count(why);
  }
  json document = {{"mode", node.keyring() != nullptr ? "curve" : "none"}, {"turned_away", std::move(turned_away)}};
  if (node.keyring() == nullptr) return document;
  document["key"] = node.keyring()->own()->key.text();
  document["renewing"] = node.renewing();
  document["authorized"] = node.keyring()->authorized()->size();
  return document;
}

}  // namespace

json cluster_status(const Node& node) {
  const registry::TableFacts table = node.registry().facts();
  const CallPlaneStats calls = node.call_stats();
  return {{"name", node.cluster_name()},
          {"nodes", node.nodes().size()},
          {"introduced", node.join_state() == JoinState::joined},
          {"address", node.address()},
          {"bound_address", node.bound_address()},
          {"registry_address", node.registry_address()},
          {"bound_registry_address", node.bound_registry_address()},
          {"insecure", node.insecure()},
          {"security", security_of(node)},
          {"table", {{"version", table.version}, {"services", table.services}, {"age_ms", table.age.count()}}},
          {"calls",
           {{"connections", calls.connections},
            {"peers_up", calls.peers_up},
            {"refused", calls.refused},
            {"malformed", calls.malformed},
            {"unanswerable", calls.unanswerable}}}};
}

}  // namespace busbar::host
