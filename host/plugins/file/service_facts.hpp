#pragma once

#include <busbar/wire/service_terms.hpp>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::host {

/// What a plugin says of one of its services, copied out of it.
struct ServiceFacts {
  std::string name;
  std::string doc;
  bool is_private = false;
  bool is_inline = false;
  bool idempotent = false;
  bool dry_run_safe = false;
  std::uint32_t timeout_ms = 0;  ///< 0: the default of the contract
  // JSON texts, each empty where the plugin does not say.
  std::string request_schema = {};
  std::string response_schema = {};
  std::string example = {};
  std::string example_assigns = {};
  std::string strategy = {};      ///< as records spell it; empty: random
  std::string sticky_field = {};  ///< with "sticky"
  wire::CallLimit limit = {};     ///< of its own

  friend bool operator==(const ServiceFacts&, const ServiceFacts&) = default;
};

/// What a plugin says of all that it offers.
struct RouterFacts {
  wire::CallLimit limit = {};  ///< of all its services together; inline ones do not count
  std::vector<ServiceFacts> services = {};

  friend bool operator==(const RouterFacts&, const RouterFacts&) = default;
};

/// `random`, `least_pending`, `sticky by "town"`.
std::string strategy_text(const ServiceFacts& facts);

/// The text as it may stand in a message: what is not UTF-8 or would move the cursor is escaped, what is long is cut.
std::string printable(std::string_view text, std::size_t at_most = 300);

/// `{"name","doc","visibility","inline","idempotent","dry_run_safe","timeout_ms","strategy","sticky_field","max_running",
/// "max_queued","request_schema","response_schema","example","example_assigns"}`, as in a manifest: what comes behind
/// the timeout is left out where the plugin does not say it; the last four are JSON in a text.
nlohmann::json to_json(const ServiceFacts& facts);
/// `{"services": […], "max_running", "max_queued"}`, a manifest; the limit is left out where there is none.
nlohmann::json to_json(const RouterFacts& facts);

/// Reads a manifest; unknown fields are skipped, absent ones take their defaults.
/// Errors: std::runtime_error saying which service and field is wrong.
RouterFacts router_from_json(const nlohmann::json& json);

/// The first few of these and how many more there are, in one line.
std::string in_one_line(const std::vector<std::string>& texts, const char* separator = "; ", std::size_t at_most = 10);

/// What is wrong with a router of which this is said, in words: a bad name, one twice, no service at all, what
/// contradicts itself. The same for those who read it in a file and those who ask the plugin.
std::vector<std::string> problems_of(const RouterFacts& facts);

}  // namespace busbar::host
