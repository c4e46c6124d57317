#include "plugins/file/check_versions.hpp"

#include <algorithm>
#include <ostream>
#include <stdexcept>
#include <utility>

#include "plugins/file/compare.hpp"
#include "plugins/file/trial.hpp"

namespace busbar::host {

namespace {

constexpr std::chrono::seconds kTrialTimeout{10};
constexpr int kBreaks = 1;
constexpr int kNotComparable = 2;

bool offers(const PluginFile& file, const std::string& service) {
  return file.router && std::any_of(file.router->services.begin(), file.router->services.end(),
                                    [&](const ServiceFacts& facts) { return facts.name == service; });
}

/// What a plugin offers, from its file or else from the plugin itself.
/// Errors: std::runtime_error.
RouterFacts router_of(const PluginFile& file, const std::filesystem::path& trial_program) {
  if (file.router) return *file.router;
  const std::string whose = "could not compare: what \"" + printable(file.file, 4096) + "\" offers is not known: ";
  if (!file.ok()) throw std::runtime_error(whose + file.reason());
  const TrialReport report = try_in_child(trial_program, std::filesystem::absolute(file.file), kTrialTimeout);
  if (!report.ok()) throw std::runtime_error(whose + report.reason);
  return report.router;
}

std::vector<Change> changes_between(const PluginFile& older, const PluginFile& newer,
                                    const std::filesystem::path& trial_program) {
  std::vector<Change> changes;
  if (!newer.ok()) changes.push_back({Weight::breaks, {}, "the new one would be refused: " + newer.reason()});
  if (older.name != newer.name) {
    changes.push_back({Weight::breaks,
                       {},
                       "its name was \"" + older.name + "\", is \"" + newer.name +
                           "\": a host takes these for two plugins, and the second one is refused as long as the "
                           "first one serves"});
  }
  const auto of_routers = compare_routers(router_of(older, trial_program), router_of(newer, trial_program));
  changes.insert(changes.end(), of_routers.begin(), of_routers.end());
  if (!of_routers.empty() && older.version == newer.version) {
    changes.push_back({Weight::warns, {}, "its version is still " + newer.version});
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.weight < b.weight; });
  return changes;
}

bool any_breaks(const std::vector<Change>& changes) {
  return std::any_of(changes.begin(), changes.end(), [](const Change& c) { return c.weight == Weight::breaks; });
}

nlohmann::json to_json(const std::vector<Change>& changes) {
  nlohmann::json list = nlohmann::json::array();
  for (const Change& change : changes) {
    nlohmann::json row = {{"weight", to_text(change.weight)}, {"text", change.text}};
    if (!change.service.empty()) row["service"] = change.service;
    list.push_back(std::move(row));
  }
  return list;
}

void write_version(std::ostream& out, const char* which, const PluginFile& file) {
  out << which << "     " << file.name << " " << file.version << "  " << printable(file.file, 4096) << "\n";
}

void write_changes(std::ostream& out, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    out << to_text(change.weight) << std::string(8 - to_text(change.weight).size(), ' ')
        << (change.service.empty() ? "plugin" : "service \"" + printable(change.service) + "\"") << ": " << change.text
        << "\n";
  }
  if (changes.empty()) out << "nothing that concerns callers has changed\n";
  const auto count = std::count_if(changes.begin(), changes.end(),
                                   [](const Change& change) { return change.weight == Weight::breaks; });
  if (!changes.empty())
    out << (count == 0 ? "no" : std::to_string(count)) << (count == 1 ? " change" : " changes")
        << " would break callers\n";
}

}  // namespace

bool are_versions(const PluginFile& older, const PluginFile& newer) {
  if (older.name.empty() || newer.name.empty()) return false;
  if (older.name == newer.name) return true;
  return older.router && std::any_of(older.router->services.begin(), older.router->services.end(),
                                     [&](const ServiceFacts& facts) { return offers(newer, facts.name); });
}

int check_versions(const PluginFile& older, const PluginFile& newer, bool json, std::ostream& out,
                   const std::filesystem::path& trial_program) {
  nlohmann::json document = {{"files", {to_json(older), to_json(newer)}}};
  if (!json) {
    write_version(out, "old", older);
    write_version(out, "new", newer);
  }
  int status = 0;
  try {
    const std::vector<Change> changes = changes_between(older, newer, trial_program);
    status = any_breaks(changes) ? kBreaks : 0;
    document["comparison"] = {{"breaks", status == kBreaks}, {"changes", to_json(changes)}};
    if (!json) write_changes(out, changes);
  } catch (const std::exception& e) {
    status = kNotComparable;
    document["comparison"] = {{"problem", e.what()}};
    if (!json) out << e.what() << "\n";
  }
  // A path need not be UTF-8.
  if (json) out << document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  return status;
}

}  // namespace busbar::host
