#include "plugins/file/service_facts.hpp"

#include <busbar/abi.h>
#include <busbar/cbor/text.hpp>
#include <busbar/limits.hpp>
#include <stdexcept>

namespace busbar::host {

namespace {

/// How many bytes the UTF-8 character at the front takes; 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  return cbor::detail::character_size(reinterpret_cast<const unsigned char*>(text.data()), text.size());
}

std::string escaped(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

bool flag(const nlohmann::json& service, const char* key) {
  const auto found = service.find(key);
  if (found == service.end()) return false;
  if (!found->is_boolean()) throw std::runtime_error("\"" + std::string(key) + "\" is no boolean");
  return found->get<bool>();
}

std::string text(const nlohmann::json& service, const char* key, std::string absent) {
  const auto found = service.find(key);
  if (found == service.end()) return absent;
  if (!found->is_string()) throw std::runtime_error("\"" + std::string(key) + "\" is no text");
  return found->get<std::string>();
}

std::uint32_t number(const nlohmann::json& service, const char* key, std::uint32_t absent, std::uint64_t at_most) {
  const auto found = service.find(key);
  if (found == service.end()) return absent;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > at_most) {
    throw std::runtime_error("\"" + std::string(key) + "\" is no whole number up to " + std::to_string(at_most));
  }
  return found->get<std::uint32_t>();
}

/// Unlike `wire::limit_in` this takes nothing for granted: what a plugin says is judged.
wire::CallLimit limit_from_json(const nlohmann::json& json) {
  const std::uint32_t max_running = number(json, "max_running", 0, BUSBAR_NO_LIMIT);
  return {max_running, number(json, "max_queued", max_running == 0 ? 0 : BUSBAR_NO_LIMIT, BUSBAR_NO_LIMIT)};
}

ServiceFacts service_from_json(const nlohmann::json& json) {
  if (!json.is_object()) throw std::runtime_error("it is no map");
  if (!json.contains("name")) throw std::runtime_error("it has no \"name\"");
  ServiceFacts facts;
  facts.name = text(json, "name", "");
  facts.doc = text(json, "doc", "");
  const std::string visibility = text(json, "visibility", "public");
  if (visibility != "public" && visibility != "private") {
    throw std::runtime_error("\"visibility\" is \"" + printable(visibility) + "\", neither public nor private");
  }
  facts.is_private = visibility == "private";
  facts.is_inline = flag(json, "inline");
  facts.idempotent = flag(json, "idempotent");
  facts.dry_run_safe = flag(json, "dry_run_safe");
  facts.request_schema = text(json, "request_schema", "");
  facts.response_schema = text(json, "response_schema", "");
  facts.example = text(json, "example", "");
  facts.example_assigns = text(json, "example_assigns", "");
  facts.timeout_ms = number(json, "timeout_ms", 0, kMaxTimeoutMs);
  facts.strategy = text(json, "strategy", "");
  facts.sticky_field = text(json, "sticky_field", "");
  facts.limit = limit_from_json(json);
  return facts;
}

}  // namespace

std::string printable(std::string_view text, std::size_t at_most) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= at_most) return out + "…";
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0 || first < 0x20 || first == 0x7f) {
      out += escaped(first);
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

std::string strategy_text(const ServiceFacts& facts) {
  return wire::strategy_text(printable(facts.strategy), printable(facts.sticky_field));
}

nlohmann::json to_json(const ServiceFacts& facts) {
  nlohmann::json out = {{"name", facts.name},
                        {"doc", facts.doc},
                        {"visibility", facts.is_private ? "private" : "public"},
                        {"inline", facts.is_inline},
                        {"idempotent", facts.idempotent},
                        {"dry_run_safe", facts.dry_run_safe},
                        {"timeout_ms", facts.timeout_ms}};
  if (!facts.strategy.empty()) out["strategy"] = facts.strategy;
  if (!facts.sticky_field.empty()) out["sticky_field"] = facts.sticky_field;
  wire::put_limit(out, facts.limit);
  if (!facts.request_schema.empty()) out["request_schema"] = facts.request_schema;
  if (!facts.response_schema.empty()) out["response_schema"] = facts.response_schema;
  if (!facts.example.empty()) out["example"] = facts.example;
  if (!facts.example_assigns.empty()) out["example_assigns"] = facts.example_assigns;
  return out;
}

nlohmann::json to_json(const RouterFacts& facts) {
  nlohmann::json out = {{"services", nlohmann::json::array()}};
  for (const ServiceFacts& service : facts.services) out["services"].push_back(to_json(service));
  wire::put_limit(out, facts.limit);
  return out;
}

RouterFacts router_from_json(const nlohmann::json& json) {
  if (!json.is_object() || !json.contains("services")) throw std::runtime_error("it names no \"services\"");
  const nlohmann::json& services = json.at("services");
  if (!services.is_array()) throw std::runtime_error("the services are no array");
  RouterFacts out{limit_from_json(json), {}};
  for (const nlohmann::json& service : services) {
    try {
      out.services.push_back(service_from_json(service));
    } catch (const std::runtime_error& e) {
      throw std::runtime_error("service " + std::to_string(out.services.size() + 1) + ": " + e.what());
    }
  }
  return out;
}

std::string in_one_line(const std::vector<std::string>& texts, const char* separator, std::size_t at_most) {
  std::string out;
  for (std::size_t i = 0; i < texts.size() && i < at_most; ++i) {
    if (i > 0) out += separator;
    out += texts[i];
  }
  if (texts.size() > at_most) out += separator + std::string("and ") + std::to_string(texts.size() - at_most) + " more";
  return out;
}

}  // namespace busbar::host
