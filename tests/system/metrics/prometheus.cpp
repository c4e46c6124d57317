#include "system/metrics/prometheus.hpp"

#include <regex>
#include <stdexcept>

#include "support/http_client.hpp"

namespace busbar::system_tests {

namespace fs = std::filesystem;

namespace {

void write_configuration(const fs::path& folder, const std::map<std::string, std::string>& targets) {
  std::string text =
      "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}\n"
      "rule_files: [alerts.yml]\n"
      "scrape_configs:\n"
      "  - job_name: busbar\n"
      "    static_configs:\n";
  for (const auto& [name, address] : targets) {
    text += "      - {targets: [\"" + address + "\"], labels: {instance: " + name + "}}\n";
  }
  write_file(folder / "prometheus.yml", text);
}

void write_quick_rules(const fs::path& folder, const fs::path& rules) {
  static const std::regex wait("\\n( +)for: [0-9]+[smh]\\n");
  write_file(folder / "alerts.yml", std::regex_replace(read_file(rules), wait, "\n$1for: 1s\n"));
}

Command command_in(const fs::path& folder, const std::map<std::string, std::string>& targets, const fs::path& rules) {
  fs::create_directories(folder / "said");
  write_configuration(folder, targets);
  write_quick_rules(folder, rules);
  Command command;
  command.arguments = {BUSBAR_PROMETHEUS, "--config.file=" + (folder / "prometheus.yml").string(),
                       "--storage.tsdb.path=" + (folder / "data").string(), "--web.listen-address=127.0.0.1:0"};
  command.scratch = folder / "said";
  return command;
}

}  // namespace

Prometheus::Prometheus(const fs::path& folder, const std::map<std::string, std::string>& targets, const fs::path& rules)
    : targets_(targets.size()), process_(command_in(folder, targets, rules)) {}

/// As it says itself where it listens.
std::string Prometheus::address() {
  static const std::regex line("msg=\"Listening on\" address=([0-9.:]+)");
  std::smatch found;
  const std::string text = said();
  return std::regex_search(text, found, line) ? found[1].str() : std::string();
}

/// Empty where it does not answer.
std::string Prometheus::body_of(const std::string& path) {
  if (address_.empty()) address_ = address();
  if (address_.empty()) return {};
  testing::HttpClient client(address_);
  client.say("GET " + path + " HTTP/1.0\r\n\r\n");
  return client.heard().body;
}

/// What is no JSON is no object.
Json Prometheus::ask(const std::string& path) { return Json::parse(body_of(path), nullptr, false); }

/// As it counts them itself; the number stands in a line of its own.
int Prometheus::evaluations() {
  static const std::regex line("\nprometheus_rule_group_iterations_total[^\n]* ([0-9]+)\n");
  std::smatch found;
  const std::string text = body_of("/metrics");
  return std::regex_search(text, found, line) ? std::stoi(found[1]) : 0;
}

bool Prometheus::evaluates(int times) {
  const int before = evaluations();
  return eventually([&] { return evaluations() >= before + times; });
}

bool Prometheus::scrapes_all() {
  return eventually([this] {
    const Json up = ask("/api/v1/query?query=count(up%3D%3D1)");
    if (!up.is_object() || up["status"] != "success" || up["data"]["result"].empty()) return false;
    return up["data"]["result"][0]["value"][1] == std::to_string(targets_);
  });
}

std::set<std::string> Prometheus::alerts(bool pending_too) {
  std::set<std::string> out;
  const Json answer = ask("/api/v1/alerts");
  if (!answer.is_object()) return out;
  for (const Json& alert : answer["data"]["alerts"]) {
    if (!pending_too && alert["state"] != "firing") continue;
    out.insert(alert["labels"]["alertname"].get<std::string>() + " " + alert["labels"].value("instance", "?"));
  }
  return out;
}

}  // namespace busbar::system_tests
