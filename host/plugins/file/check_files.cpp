// What `busbar check` shows: the inspection of some files, for programs and for people.
#include <map>
#include <ostream>
#include <sstream>

#include "plugins/file/check_versions.hpp"
#include "plugins/file/inspect.hpp"

namespace busbar::host {

namespace {

/// Adds what two files claim both: to the later one, as that is what a host refuses.
void find_clashes(std::vector<PluginFile>& files) {
  std::map<std::string, std::string> holder_of_name;
  std::map<std::string, std::string> holder_of_service;
  for (PluginFile& file : files) {
    if (!file.name.empty()) {
      const auto [holder, is_first] = holder_of_name.emplace(file.name, file.file);
      if (!is_first) file.problems.push_back("name \"" + file.name + "\" held by \"" + holder->second + "\"");
    }
    if (!file.ok() || !file.router) continue;
    for (const ServiceFacts& service : file.router->services) {
      const auto [holder, is_first] = holder_of_service.emplace(service.name, file.file);
      if (!is_first) {
        file.problems.push_back("service \"" + service.name + "\" is offered by \"" + holder->second + "\" too");
      }
    }
  }
}

std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

nlohmann::json text_or_null(const std::string& text) { return text.empty() ? nlohmann::json() : nlohmann::json(text); }

/// A service as programs are shown it: its schemas and its example as JSON, not as texts of it.
nlohmann::json shown(const ServiceFacts& facts) {
  nlohmann::json out = to_json(facts);
  const auto show = [&](const char* member, const char* as) {
    const auto found = out.find(member);
    if (found == out.end()) return;
    nlohmann::json value = nlohmann::json::parse(found->get<std::string>(), nullptr, false);
    out.erase(found);
    if (!value.is_discarded()) out[as] = std::move(value);
  };
  show("request_schema", "request");
  show("response_schema", "response");
  show("example", "example");
  show("example_assigns", "example_assigns");
  return out;
}

nlohmann::json shown(const std::vector<ServiceFacts>& services) {
  nlohmann::json out = nlohmann::json::array();
  for (const ServiceFacts& facts : services) out.push_back(shown(facts));
  return out;
}

std::string service_line(const ServiceFacts& service) {
  std::string marks;
  if (service.is_private) marks += ", private";
  if (service.is_inline) marks += ", inline";
  if (service.idempotent) marks += ", idempotent";
  if (service.dry_run_safe) marks += ", dry-run safe";
  if (service.timeout_ms != 0) marks += ", " + std::to_string(service.timeout_ms) + " ms";
  if (!service.strategy.empty()) marks += ", " + strategy_text(service);
  if (service.limit.max_running != 0) marks += ", " + to_text(service.limit);
  std::string line = "  service   " + printable(service.name);
  if (!marks.empty()) line += " (" + marks.substr(2) + ")";
  if (!service.doc.empty()) line += ": " + printable(service.doc, 200);
  return line + "\n";
}

}  // namespace

nlohmann::json to_json(const PluginFile& file) {
  nlohmann::json abi;
  nlohmann::json flags;
  if (file.descriptor) {
    abi = {{"major", file.descriptor->abi_major}, {"minor", file.descriptor->abi_minor}};
    flags = nlohmann::json::array();
    if ((file.descriptor->build_flags & BUSBAR_BUILD_ASAN) != 0) flags.push_back("address");
    if ((file.descriptor->build_flags & BUSBAR_BUILD_TSAN) != 0) flags.push_back("thread");
  }
  nlohmann::json out = {{"file", file.file},
                        {"ok", file.ok()},
                        {"name", text_or_null(file.name)},
                        {"version", text_or_null(file.version)},
                        {"abi", abi},
                        {"compiler", text_or_null(file.compiler)},
                        {"sanitizers", flags},
                        {"services", file.router ? shown(file.router->services) : nlohmann::json()},
                        {"problems", file.problems},
                        {"warnings", file.warnings},
                        {"unloadable", file.unloadable},
                        {"static_tls", file.static_tls},
                        {"needed", file.needed}};
  if (file.router) wire::put_limit(out, file.router->limit);
  return out;
}

std::string to_text(const PluginFile& file) {
  std::ostringstream out;
  out << printable(file.file, 4096) << ": " << (file.ok() ? "ok" : "would be refused") << "\n";
  for (const std::string& problem : file.problems) out << "  problem   " << problem << "\n";
  for (const std::string& warning : file.warnings) out << "  warning   " << warning << "\n";
  if (!file.descriptor) return out.str();
  out << "  plugin    " << (file.name.empty() ? "?" : file.name) << " " << file.version << "\n";
  out << "  built     plugin ABI " << file.descriptor->abi_major << "." << file.descriptor->abi_minor << ", "
      << file.compiler << "\n";
  if (!file.needed.empty()) out << "  needs     " << in_one_line(file.needed, ", ", file.needed.size()) << "\n";
  out << "  unloads   " << yes_or_no(file.unloadable) << "\n";
  if (!file.router) {
    out << "  services  unknown: the file has no manifest\n";
  } else {
    if (file.router->limit.max_running != 0) out << "  limit     " << to_text(file.router->limit) << "\n";
    for (const ServiceFacts& service : file.router->services) out << service_line(service);
  }
  return out.str();
}

int check_files(std::span<const std::string> files, bool json, std::ostream& out,
                const std::filesystem::path& trial_program) {
  std::vector<PluginFile> found;
  for (const std::string& file : files) found.push_back(inspect(file));
  if (found.size() == 2 && are_versions(found[0], found[1])) {
    return check_versions(found[0], found[1], json, out, trial_program);
  }
  find_clashes(found);
  nlohmann::json list = nlohmann::json::array();
  bool all_ok = true;
  for (const PluginFile& file : found) {
    all_ok &= file.ok();
    if (json) list.push_back(to_json(file));
    if (!json) out << to_text(file);
  }
  // A path need not be UTF-8.
  if (json) {
    out << nlohmann::json{{"files", std::move(list)}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
        << "\n";
  }
  return all_ok ? 0 : 1;
}

}  // namespace busbar::host
