// What a host tells over HTTP.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "support/http_client.hpp"
#include "system/support/test_host.hpp"

namespace busbar::system_tests {

/// Has the host listen for HTTP at any free port, and what else this configuration says.
void configure_http(TestHost& host, const std::string& more = {});
/// Where it listens, as `busbar status` says; empty: nowhere.
std::string http_address(const TestHost& host);
testing::HttpClient::Reply http_get(const TestHost& host, const std::string& path);

/// A scrape: values by series, as they are written: `busbar_plugins{state="failed"}`.
class Scrape {
 public:
  explicit Scrape(const TestHost& host);
  const std::string& text() const { return text_; }
  /// Nothing: there is no such series.
  std::optional<double> value(const std::string& series) const;
  /// All names that stand before a brace or a value.
  std::set<std::string> names() const;

 private:
  std::string text_;
  std::map<std::string, double> values_;
};

}  // namespace busbar::system_tests
