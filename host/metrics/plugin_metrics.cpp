#include "metrics/plugin_metrics.hpp"

#include <array>
#include <map>
#include <string>
#include <tuple>

#include "metrics/families.hpp"

namespace busbar::host {

namespace {

constexpr std::array kStates = {PluginState::loading, PluginState::serving, PluginState::draining, PluginState::stuck,
                                PluginState::retired, PluginState::failed,  PluginState::unloaded};

/// How many there are in each state, also where there is none: an alert needs the 0.
prometheus::MetricFamily by_state(const std::vector<PluginRow>& rows) {
  std::map<PluginState, double> counts;
  for (const PluginRow& row : rows) ++counts[row.state];
  auto family = gauge_family("busbar_plugins", "Plugins, and generations of them that are still here, by state.");
  for (const PluginState state : kStates) add(family, counts[state], labels({{"state", name_of(state)}}));
  return family;
}

/// Which they are. Several generations of one version in one state are one series; of a file that does not say what it
/// is, name and version are empty.
prometheus::MetricFamily by_version(const std::vector<PluginRow>& rows) {
  std::map<std::tuple<std::string, std::string, std::string, PluginState>, double> counts;
  for (const PluginRow& row : rows) ++counts[{row.name, row.version, row.file, row.state}];
  auto family = gauge_family("busbar_plugin_generations", "Generations of plugins by name, version, file and state.");
  for (const auto& [key, count] : counts) {
    const auto& [plugin, version, file, state] = key;
    add(family, count, labels({{"plugin", plugin}, {"version", version}, {"file", file}, {"state", name_of(state)}}));
  }
  return family;
}

double unhealthy(const std::vector<PluginRow>& rows) {
  double count = 0;
  for (const PluginRow& row : rows) count += row.complaint.empty() ? 0 : 1;
  return count;
}

/// The row of one that serves has a reason where it is not the version of its file.
double held_back(const std::vector<PluginRow>& rows) {
  double count = 0;
  for (const PluginRow& row : rows) count += row.state == PluginState::serving && !row.reason.empty() ? 1 : 0;
  return count;
}

}  // namespace

MetricFamilies PluginMetrics::Collect() const {
  const std::vector<PluginRow> rows = rows_();
  const auto total = [this](EventKind kind) { return static_cast<double>(counts_->count(kind)); };
  return {
      by_state(rows),
      by_version(rows),
      gauge("busbar_plugins_unhealthy", "Plugins that say that they cannot do their work.", unhealthy(rows)),
      gauge("busbar_plugins_held_back",
            "Plugins that serve an older version than their file is: that could not be taken, or was gone back from.",
            held_back(rows)),
      gauge("busbar_plugins_retired_max", "Libraries that may be kept as retired (plugins.max_retired).",
            max_retired_()),
      counter("busbar_plugin_loads_total", "Plugins that were loaded where there was none of their name.",
              total(EventKind::plugin_loaded)),
      counter("busbar_plugin_reloads_total", "Plugins that another version has taken the place of.",
              total(EventKind::plugin_reloaded)),
      counter("busbar_plugin_unloads_total", "Plugins that were taken away.", total(EventKind::plugin_unloaded)),
      counter("busbar_plugin_failures_total", "Files that could not be used, or failed later.",
              total(EventKind::plugin_failed)),
      counter("busbar_inline_services_too_slow_total", "Runs of inline services that took longer than they may.",
              total(EventKind::inline_service_too_slow))};
}

}  // namespace busbar::host
