// What the host's plugins are.
#include "doctor/examined.hpp"

namespace busbar::host::doctor {

namespace {

using nlohmann::json;

constexpr const char* kCheck = "plugins";

void check_row(const json& row, Findings& findings) {
  const std::string file = row.value("file", ""), state = row.value("state", ""), reason = row.value("reason", "");
  const std::string name = row.value("name", "").empty() ? file : row.value("name", "");
  const std::string found = state + (reason.empty() ? "" : ": " + reason);
  if (state == "failed")
    return findings.problem(kCheck, name, found, "serving",
                            "busbar check FILE says more; mend the file, or take it away");
  if (state == "stuck")
    return findings.warning(kCheck, name, found, "that its calls end",
                            "see what they wait for; busbar calls shows them");
  if (state != "serving") return findings.ok(kCheck, name, found);
  if (row.value("healthy", true) && reason.empty()) return findings.ok(kCheck, name, found);
  findings.warning(kCheck, name, found, "a plugin that is well, and the newest of its file", "see its log");
}

}  // namespace

void check_plugins(const Examined& host, Findings& findings) {
  const json rows = host.answer("/plugins/plugins");
  if (!rows.is_array()) return;  // no host, or one that is not ready
  std::size_t retired = 0;
  for (const json& row : rows) {
    check_row(row, findings);
    if (row.value("state", "") == "retired") ++retired;
  }
  const std::size_t most = host.config.plugins.max_retired;
  const std::string found =
      std::to_string(retired) + " of at most " + std::to_string(most) + " retired libraries are kept";
  if (retired >= most) {
    findings.problem(kCheck, "retired", found + ": nothing is replaced any more", "fewer",
                     "restart the host, or raise plugins.max_retired; busbar plugins says what keeps each");
  } else if (retired * 4 >= most * 3) {
    findings.warning(kCheck, "retired", found, "fewer than three quarters of it",
                     "restart the host when it suits; busbar plugins says what keeps each");
  } else {
    findings.ok(kCheck, "retired", found);
  }
}

}  // namespace busbar::host::doctor
