#include "plugins/file/service_facts.hpp"

#include <busbar/abi.h>
#include <busbar/cbor/json_text.hpp>
#include <busbar/cbor/text.hpp>
#include <busbar/limits.hpp>
#include <busbar/names.hpp>
#include <set>
#include <stdexcept>

namespace busbar::host {

namespace {

constexpr std::size_t kLongestField = 1024;  // as records have it
constexpr std::size_t kLongestDoc = 16 * 1024;
constexpr std::size_t kLongestJson = 64 * 1024;

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
  facts.timeout_ms = number(json, "timeout_ms", 0, kMaxTimeoutMs);
  facts.strategy = text(json, "strategy", "");
  facts.sticky_field = text(json, "sticky_field", "");
  facts.max_running = number(json, "max_running", 0, BUSBAR_NO_LIMIT);
  facts.max_queued = number(json, "max_queued", facts.max_running == 0 ? 0 : BUSBAR_NO_LIMIT, BUSBAR_NO_LIMIT);
  return facts;
}

/// What is wrong with a JSON text, which will stand inside a document; empty if nothing is.
std::string problem_of_json(const std::string& text, bool is_schema) {
  if (text.empty()) return {};
  if (text.size() > kLongestJson) {
    return " has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(kLongestJson) + " are kept";
  }
  try {
    cbor::from_json_text(text);
    cbor::from_json_text("[" + text + "]");
  } catch (const JsonSyntaxError& e) {
    return " is no JSON that can be shown: line " + std::to_string(e.line()) + ", column " +
           std::to_string(e.column()) + ": " + printable(e.text());
  }
  const auto json = nlohmann::json::parse(text);
  return is_schema && !json.is_object() && !json.is_boolean() ? " is no JSON Schema: it is neither a map nor a boolean"
                                                              : "";
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
  if (facts.strategy.empty()) return "random";
  return printable(facts.strategy) +
         (facts.sticky_field.empty() ? "" : " by \"" + printable(facts.sticky_field) + "\"");
}

std::string limit_text(const ServiceFacts& facts) {
  if (facts.max_running == 0) return "none";
  const std::string running = std::to_string(facts.max_running) + " at a time";
  return facts.max_queued == BUSBAR_NO_LIMIT ? running
                                             : running + " and " + std::to_string(facts.max_queued) + " that wait";
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
  if (facts.max_running != 0) out["max_running"] = facts.max_running;
  if (facts.max_running != 0 && facts.max_queued != BUSBAR_NO_LIMIT) out["max_queued"] = facts.max_queued;
  if (!facts.request_schema.empty()) out["request_schema"] = facts.request_schema;
  if (!facts.response_schema.empty()) out["response_schema"] = facts.response_schema;
  if (!facts.example.empty()) out["example"] = facts.example;
  return out;
}

nlohmann::json to_json(const std::vector<ServiceFacts>& services) {
  nlohmann::json out = nlohmann::json::array();
  for (const ServiceFacts& facts : services) out.push_back(to_json(facts));
  return out;
}

std::vector<ServiceFacts> services_from_json(const nlohmann::json& services) {
  if (!services.is_array()) throw std::runtime_error("the services are no array");
  std::vector<ServiceFacts> out;
  for (const nlohmann::json& service : services) {
    try {
      out.push_back(service_from_json(service));
    } catch (const std::runtime_error& e) {
      throw std::runtime_error("service " + std::to_string(out.size() + 1) + ": " + e.what());
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

std::vector<std::string> problems_of(const std::vector<ServiceFacts>& services) {
  std::vector<std::string> problems;
  if (services.empty()) problems.emplace_back("it offers no service");
  std::set<std::string_view> seen;
  for (const ServiceFacts& facts : services) {
    const std::string quoted = "\"" + printable(facts.name, 80) + "\"";
    if (!is_service_name(facts.name)) {
      problems.push_back("bad service name " + quoted + ", expected " + std::string(kServiceNameRule));
    } else if (!seen.insert(facts.name).second) {
      problems.push_back("service " + quoted + " is there twice");
    }
    if (facts.doc.size() > kLongestDoc) {
      problems.push_back("the documentation of service " + quoted + " has " + std::to_string(facts.doc.size()) +
                         " bytes, at most " + std::to_string(kLongestDoc) + " are kept");
    } else if (!cbor::detail::is_utf8(facts.doc.data(), facts.doc.size())) {
      problems.push_back("the documentation of service " + quoted + " is not UTF-8");
    }
    const std::string& field = facts.sticky_field;
    if (field.size() > kLongestField || !cbor::detail::is_utf8(field.data(), field.size())) {
      problems.push_back("the sticky field of service " + quoted + " is " + std::to_string(field.size()) +
                         " bytes, expected at most " + std::to_string(kLongestField) + " of UTF-8");
    }
    const auto judge_json = [&](const char* what, const std::string& text, bool is_schema) {
      const std::string problem = problem_of_json(text, is_schema);
      if (!problem.empty()) problems.push_back("the " + std::string(what) + " of service " + quoted + problem);
    };
    judge_json("request's schema", facts.request_schema, true);
    judge_json("response's schema", facts.response_schema, true);
    judge_json("example", facts.example, false);
    if (facts.timeout_ms > kMaxTimeoutMs) {
      problems.push_back("the timeout of service " + quoted + " is " + std::to_string(facts.timeout_ms) +
                         " ms, at most " + std::to_string(kMaxTimeoutMs) + " is possible");
    }
  }
  return problems;
}

}  // namespace busbar::host
