#pragma once

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

  friend bool operator==(const ServiceFacts&, const ServiceFacts&) = default;
};

/// The text as it may stand in a message: what is not UTF-8 or would move the cursor is escaped, what is long is cut.
std::string printable(std::string_view text, std::size_t at_most = 300);

/// `{"name","doc","visibility","inline","idempotent","dry_run_safe","timeout_ms","request_schema","response_schema",
/// "example"}`, as in a manifest: the last three are JSON in a text, and left out where there is none.
nlohmann::json to_json(const ServiceFacts& facts);
nlohmann::json to_json(const std::vector<ServiceFacts>& services);

/// Reads the form above; unknown fields are skipped, absent ones take their defaults.
/// Errors: std::runtime_error saying which service and field is wrong.
std::vector<ServiceFacts> services_from_json(const nlohmann::json& services);

/// The first few of these and how many more there are, in one line.
std::string in_one_line(const std::vector<std::string>& texts, const char* separator = "; ", std::size_t at_most = 10);

/// What is wrong with these services as those of one router, in words: a bad name, one twice, none at all.
std::vector<std::string> problems_of(const std::vector<ServiceFacts>& services);

}  // namespace busbar::host
