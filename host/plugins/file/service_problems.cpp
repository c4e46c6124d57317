// What a router must not say of itself and its services.
#include <busbar/abi.h>
#include <busbar/cbor/json_text.hpp>
#include <busbar/cbor/text.hpp>
#include <busbar/limits.hpp>
#include <busbar/names.hpp>
#include <busbar/strategy.hpp>
#include <busbar/wire/schema_view.hpp>

#include <algorithm>
#include <set>
#include <utility>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

namespace {

constexpr std::size_t kLongestField = 1024;  // as records have it
constexpr std::size_t kLongestDoc = 16 * 1024;
constexpr std::size_t kLongestJson = 64 * 1024;

enum class JsonIs { any, map, schema };

/// What is wrong with a JSON text, which will stand inside a document; empty if nothing is.
std::string problem_of_json(const std::string& text, JsonIs what) {
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
  if (what == JsonIs::map && !json.is_object()) return " is no map";
  if (what == JsonIs::schema && !json.is_object() && !json.is_boolean()) {
    return " is no JSON Schema: it is neither a map nor a boolean";
  }
  return {};
}

bool is_utf8(const std::string& text) { return cbor::detail::is_utf8(text.data(), text.size()); }

/// What contradicts itself in a limit would be found by whoever is overloaded.
std::string problem_of_limit(const wire::CallLimit& limit) {
  if (limit.max_running != 0 || limit.max_queued == 0) return {};
  return " has max_queued " + std::to_string(limit.max_queued) + " without max_running: calls wait for those that run";
}

/// The fields that requests have, in words, where they are known and `field` is none of them.
std::string fields_without(const std::string& field, const std::string& request_schema) {
  const auto schema = nlohmann::json::parse(request_schema, nullptr, false);
  const auto view = wire::view_of(schema, schema);
  if (view.kind != wire::SchemaKind::record) return {};
  const nlohmann::json& properties = (*view.node)["properties"];
  if (properties.contains(field)) return {};
  std::vector<std::string> names;
  for (const auto& property : properties.items()) names.push_back("\"" + printable(property.key(), 80) + "\"");
  return names.empty() ? "none" : in_one_line(names, ", ");
}

/// Judges a service by itself.
class ServiceJudge {
 public:
  explicit ServiceJudge(const ServiceFacts& facts)
      : facts_(facts), whose_("service \"" + printable(facts.name, 80) + "\"") {}

  std::vector<std::string> run() {
    judge_doc();
    judge_sticky_field();
    judge_json("request's schema", facts_.request_schema, JsonIs::schema);
    judge_json("response's schema", facts_.response_schema, JsonIs::schema);
    judge_json("example", facts_.example, JsonIs::any);
    judge_json("example's assigns", facts_.example_assigns, JsonIs::map);
    if (facts_.timeout_ms > kMaxTimeoutMs) {
      add("the timeout of " + whose_ + " is " + std::to_string(facts_.timeout_ms) + " ms, at most " +
          std::to_string(kMaxTimeoutMs) + " is possible");
    }
    judge_limit();
    return std::move(problems_);
  }

 private:
  void judge_doc() {
    if (facts_.doc.size() > kLongestDoc) {
      add("the documentation of " + whose_ + " has " + std::to_string(facts_.doc.size()) + " bytes, at most " +
          std::to_string(kLongestDoc) + " are kept");
    } else if (!is_utf8(facts_.doc)) {
      add("the documentation of " + whose_ + " is not UTF-8");
    }
  }

  void judge_sticky_field() {
    const std::string& field = facts_.sticky_field;
    if (field.size() > kLongestField || !is_utf8(field)) {
      return add("the sticky field of " + whose_ + " is " + std::to_string(field.size()) + " bytes, expected at most " +
                 std::to_string(kLongestField) + " of UTF-8");
    }
    if (field.empty()) return;
    if (const std::string known = fields_without(field, facts_.request_schema); !known.empty()) {
      add("the sticky field of " + whose_ + " is \"" + printable(field, 80) +
          "\", expected a field of its requests, which are: " + known);
    }
  }

  void judge_json(const char* which, const std::string& text, JsonIs what) {
    const std::string problem = problem_of_json(text, what);
    if (!problem.empty()) add("the " + std::string(which) + " of " + whose_ + problem);
  }

  void judge_limit() {
    if (const std::string problem = problem_of_limit(facts_.limit); !problem.empty()) add(whose_ + problem);
    if (facts_.is_inline && facts_.limit.max_running != 0) {
      add(whose_ + " is inline and has max_running " + std::to_string(facts_.limit.max_running) +
          ": an inline service runs on its caller's thread, where no call can wait");
    }
  }

  void add(std::string problem) { problems_.push_back(std::move(problem)); }

  const ServiceFacts& facts_;
  const std::string whose_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> problems_of(const RouterFacts& facts) {
  std::vector<std::string> problems;
  if (facts.services.empty()) problems.emplace_back("it offers no service");
  if (const std::string problem = problem_of_limit(facts.limit); !problem.empty()) {
    problems.push_back("its router" + problem);
  }
  std::set<std::string_view> seen;
  for (const ServiceFacts& service : facts.services) {
    const std::string quoted = "\"" + printable(service.name, 80) + "\"";
    if (!is_service_name(service.name)) {
      problems.push_back("bad service name " + quoted + ", expected " + std::string(kServiceNameRule));
    } else if (!seen.insert(service.name).second) {
      problems.push_back("service " + quoted + " is there twice");
    }
    for (std::string& problem : ServiceJudge(service).run()) problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace busbar::host
