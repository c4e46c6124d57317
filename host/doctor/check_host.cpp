// Whether a host runs, and what it says of itself.
#include <filesystem>
#include <utility>

#include "daemon/host.hpp"
#include "doctor/examined.hpp"
#include "rundir/rundir.hpp"

namespace busbar::host::doctor {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCheck = "host";

/// As the command line was told it, and as the configuration has it.
bool is_same(const fs::path& one, const fs::path& other) {
  std::error_code unknown;
  const fs::path first = fs::weakly_canonical(one, unknown), second = fs::weakly_canonical(other, unknown);
  return !unknown && first == second;
}

void check_silent(const Examined& host, const std::string& run_dir, Findings& findings) {
  const DirectoryLook look = look_at_directory(host.config.paths.run, "run directory", host.user);
  const std::string problem = host.running.value("problem", host.running.value("unreachable", ""));
  const bool was_asked_here = is_same(host.running.value("run_dir", ""), run_dir);
  if (!look.problem.empty()) {
    return findings.problem(kCheck, run_dir, "whether a host runs cannot be seen: " + look.problem,
                            "a run directory of the user who runs busbar doctor",
                            "become the user who runs the host (root may look as well, but judges what root may do), "
                            "or name another run directory with --run-dir");
  }
  if (look.holder && !was_asked_here) {
    return findings.warning(kCheck, run_dir,
                            "node " + look.holder->node + " (process " + std::to_string(look.holder->pid) +
                                ") holds this run directory, and was not asked",
                            "its answers", "busbar --run-dir " + run_dir + " doctor");
  }
  if (look.holder) {
    return findings.problem(kCheck, run_dir,
                            "node " + look.holder->node + " (process " + std::to_string(look.holder->pid) +
                                ") holds the run directory, but: " + (problem.empty() ? "it does not answer" : problem),
                            "a host that answers", "read its log; end it and start it again");
  }
  findings.ok(kCheck, run_dir, "no host runs; what follows is judged by the configuration and this machine alone");
}

void check_not_ready(const Examined& host, const std::string& node, Findings& findings) {
  std::string found = "it is not ready";
  const char* before = ": ";
  for (const auto& reason : host.answer("/status/not_ready")) {
    found += std::exchange(before, "; ") + reason.get<std::string>();
  }
  if (host.answer("/status/begun") != true) {
    return findings.warning(kCheck, node, found, "that its first scan is over and it has joined its cluster",
                            "wait; if it lasts, its log tells what it waits for");
  }
  findings.problem(kCheck, node, found, "each service of readiness.require, provided here",
                   "mend or load the plugin that is to provide it, or take it out of readiness.require");
}

std::string why_it_waits(const nlohmann::json& row) {
  std::string others;
  for (const auto& other : row.value("with", nlohmann::json::array())) {
    others += (others.empty() ? "" : " and ") + other.get<std::string>();
  }
  return others.empty() ? "this key cannot change while it runs" : "it may change only together with " + others;
}

void check_configuration_of_running(const Examined& host, const std::string& file, Findings& findings) {
  constexpr const char* check = "configuration";
  const nlohmann::json now = host.answer("/config/file_now");
  const auto rows = [&](const char* member) {
    return now.is_object() ? now.value(member, nlohmann::json::array()) : nlohmann::json();
  };
  const std::size_t before = findings.all().size();
  for (const auto& fault : rows("faults")) {
    findings.problem(check, file, fault.value("text", ""), "a configuration that a host can start with",
                     "mend it: the host goes on with what it has, and will not start with this");
  }
  for (const auto& row : rows("changed")) {
    findings.warning(check, row.value("key", ""),
                     "the host runs with " + row["before"].dump() + ", but " + row.value("where", "") + " says " +
                         row["value"].dump(),
                     "that both are the same", "busbar config reload");
  }
  for (const auto& row : rows("needs_restart")) {
    findings.warning(check, row.value("key", ""),
                     "the host runs with " + row["value"].dump() + ", but " + row.value("where", "") + " says " +
                         row["after_restart"].dump(),
                     "that both are the same", "restart the host: " + why_it_waits(row));
  }
  for (const auto& name : rows("plugins")) {
    findings.warning(check, "plugin." + name.get<std::string>(), "the table has changed since the host has read it",
                     "that both are the same", "busbar config reload, then busbar reload " + name.get<std::string>());
  }
  if (findings.all().size() == before) findings.ok(check, file, "the host runs with what it says");
}

}  // namespace

void check_host(const Examined& host, Findings& findings) {
  const std::string run_dir = host.config.paths.run.string();
  if (!host.is_running()) return check_silent(host, run_dir, findings);
  const std::string node = host.answer("/status/node").get<std::string>();
  const std::string its_version = host.answer("/status/version").get<std::string>();
  findings.ok(kCheck, run_dir, "node " + node + " answers, version " + its_version);
  if (its_version != version()) {
    findings.warning(kCheck, node, "it is version " + its_version,
                     "version " + std::string(version()) + ", which is installed",
                     "restart the host to have it run what is installed");
  }
  if (const std::string problem = host.running.value("problem", ""); !problem.empty()) {
    findings.problem(kCheck, node, "it did not answer everything: " + problem, "an answer to each question",
                     "read its log; restart it if this lasts");
  }
  if (host.answer("/status/ready") != true) check_not_ready(host, node, findings);
  const auto dropped = host.answer("/status/log/dropped");
  if (dropped.is_number() && dropped > 0) {
    findings.warning(kCheck, node, dropped.dump() + " lines of its log were lost", "none",
                     "see to it that whatever takes its log is fast enough, and has room");
  }
}

void check_configuration(const Examined& host, Findings& findings) {
  if (host.is_running()) {
    const auto file = host.answer("/config/file");
    return check_configuration_of_running(host, file.is_string() ? file.get<std::string>() : "environment and flags",
                                          findings);
  }
  findings.ok("configuration", "file, environment and flags",
              "a host would start with it; " + std::to_string(host.config.origins.size()) + " keys are set");
}

}  // namespace busbar::host::doctor
