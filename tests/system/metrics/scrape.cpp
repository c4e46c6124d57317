#include "system/metrics/scrape.hpp"

#include <sstream>

namespace busbar::system_tests {

void configure_http(TestHost& host, const std::string& more) {
  host.configure("[http]\nlisten = \"127.0.0.1:0\"\n" + more);
}

std::string http_address(const TestHost& host) { return host.ask({"status"}).json["http"].value("address", ""); }

testing::HttpClient::Reply http_get(const TestHost& host, const std::string& path) {
  return testing::http_get(http_address(host), path);
}

Scrape::Scrape(const TestHost& host) {
  const auto reply = http_get(host, "/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.headers, ::testing::HasSubstr("Content-Type: text/plain; version=0.0.4"));
  text_ = reply.body;
  std::istringstream lines(text_);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.rfind(' ');
    if (line.starts_with('#') || space == std::string::npos) continue;
    values_[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
}

std::optional<double> Scrape::value(const std::string& series) const {
  const auto found = values_.find(series);
  return found != values_.end() ? std::optional(found->second) : std::nullopt;
}

std::set<std::string> Scrape::names() const {
  std::set<std::string> out;
  for (const auto& [series, value] : values_) out.insert(series.substr(0, series.find('{')));
  return out;
}

}  // namespace busbar::system_tests
