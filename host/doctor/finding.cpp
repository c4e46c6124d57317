#include "doctor/finding.hpp"

#include <algorithm>

#include "log/text.hpp"

namespace busbar::host::doctor {

namespace {

void append_line(std::string& out, std::string_view title, const std::string& text) {
  if (text.empty()) return;
  out.append("          ").append(title);
  append_printable(out, text);
  out += '\n';
}

std::string counted(std::size_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

std::string_view name_of(Health health) noexcept {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::warning:
      return "warning";
    case Health::problem:
      return "problem";
  }
  return "?";
}

std::size_t Findings::count(Health health) const {
  return static_cast<std::size_t>(
      std::count_if(all_.begin(), all_.end(), [&](const Finding& finding) { return finding.state == health; }));
}

nlohmann::json to_json(const Findings& findings) {
  nlohmann::json checks = nlohmann::json::array();
  for (const Finding& finding : findings.all()) {
    checks.push_back({{"check", finding.check},
                      {"subject", finding.subject},
                      {"state", name_of(finding.state)},
                      {"found", finding.found},
                      {"expected", finding.expected},
                      {"advice", finding.advice}});
  }
  return {{"checks", std::move(checks)},
          {"problems", findings.count(Health::problem)},
          {"warnings", findings.count(Health::warning)}};
}

std::string to_text(const Findings& findings) {
  std::string out;
  for (const Finding& finding : findings.all()) {
    const std::string state(name_of(finding.state));
    out += state + std::string(10 - state.size(), ' ') + finding.check;
    out += ", ";
    append_printable(out, finding.subject);
    out += ": ";
    append_printable(out, finding.found);
    out += '\n';
    append_line(out, "expected: ", finding.expected);
    append_line(out, "do:       ", finding.advice);
  }
  return out + counted(findings.count(Health::problem), "problem") + ", " +
         counted(findings.count(Health::warning), "warning") + "\n";
}

}  // namespace busbar::host::doctor
