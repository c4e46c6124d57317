#include "doctor/doctor.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

#include "doctor/examined.hpp"
#include "log/text.hpp"
#include "rundir/rundir.hpp"

namespace busbar::host::doctor {

namespace {

using nlohmann::json;

/// A value as a flag would say it.
std::string word_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const json& each : value) list += (list.empty() ? "" : ",") + word_of(each);
  return list;
}

/// The configuration that a host runs with, as it says itself. Defaults that depend on its environment are taken from
/// it, too, as that is another one than ours.
ConfigSource source_of(const json& document, ConfigSource ours) {
  ConfigSource out{std::nullopt, std::move(ours.environment), {}};
  std::erase_if(out.environment.variables, [](const auto& variable) { return variable.first.starts_with("BUSBAR_"); });
  for (const json& row : document.value("keys", json::array())) {
    const std::string key = row.value("key", "");
    const bool depends = key.starts_with("paths.") || key == "node.name" || key == "pool.threads";
    if (row.value("source", "default") == "default" && !depends) continue;
    out.overrides.push_back({key, word_of(row.at("value")), "the host that runs"});
  }
  return out;
}

/// Who runs the host, or would. Root may ask about that of another user, to whom the run directory belongs that it
/// holds.
uid_t user_of(const Examined& host) {
  const auto& directory = host.config.paths.run;
  struct stat run {};
  if (::geteuid() != 0 || ::lstat(directory.c_str(), &run) != 0) return ::geteuid();
  const bool is_held = host.is_running() || look_at_directory(directory, "run directory", run.st_uid).holder;
  return is_held ? run.st_uid : ::geteuid();
}

void check_all(const Examined& host, Findings& findings) {
  for (const auto check : {check_host, check_configuration, check_keys, check_directories, check_limits, check_ports,
                           check_seeds, check_clock, check_peers, check_plugins}) {
    check(host, findings);
  }
}

/// Whether the configuration is that of the host that holds the run directory and does not answer, or of one that would
/// be started: what somebody has named, or what names that directory itself.
bool is_known(const Examined& host, const ConfigSource& source, const DirectoryLook& run) {
  const bool may_run = run.holder || !run.problem.empty();
  if (host.is_running() || !may_run || host.running.value("config_given", false)) return true;
  if (!source.file) return false;
  ConfigSource file = source;
  std::erase_if(file.overrides, [](const auto& each) { return each.key == "paths.run"; });
  return load_config(file).paths.run == host.config.paths.run;
}

void check_host_alone(const Examined& host, Findings& findings) {
  check_host(host, findings);
  findings.warning("configuration", host.config.paths.run.string(),
                   "with which configuration the host runs is not known: nothing else was looked at",
                   "the file of that host", "busbar doctor --config FILE looks at the rest");
}

void report_faults(const ConfigError& error, const ConfigSource& source, Findings& findings) {
  for (const ConfigFault& fault : error.faults()) {
    findings.problem("configuration", source.file ? source.file->string() : "environment and flags", fault.text,
                     "a configuration that a host can start with",
                     "mend it; nothing else was looked at, as all of it depends on the configuration");
  }
}

}  // namespace

int examine(ConfigSource source, std::istream& running, bool json_wanted, std::ostream& out) {
  Findings findings;
  Examined host;
  host.running = json::parse(running, nullptr, false);
  if (!host.running.is_object()) host.running = json::object();
  try {
    if (host.running.contains("config")) source = source_of(host.running["config"], std::move(source));
    host.config = load_config(source);
    host.user = user_of(host);
    const DirectoryLook run = look_at_directory(host.config.paths.run, "run directory", host.user);
    if (run.holder) host.pid = run.holder->pid;
    is_known(host, source, run) ? check_all(host, findings) : check_host_alone(host, findings);
  } catch (const ConfigError& error) {
    report_faults(error, source, findings);
  } catch (const json::exception& unfit) {
    findings.problem("host", "what it answers", unfit.what(), "the answers of a host of this version",
                     "use the command line and the busbard that were installed with the host");
  }
  if (json_wanted) {
    out << to_json(findings).dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    out << to_text(findings);
  }
  return findings.count(Health::problem) == 0 ? 0 : 1;
}

}  // namespace busbar::host::doctor
