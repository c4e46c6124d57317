#include "plugins/plugin_row.hpp"

#include <busbar/wire/service_terms.hpp>

#include "log/text.hpp"

namespace busbar::host {

std::string_view name_of(PluginState state) noexcept {
  switch (state) {
    case PluginState::loading:
      return "loading";
    case PluginState::serving:
      return "serving";
    case PluginState::draining:
      return "draining";
    case PluginState::stuck:
      return "stuck";
    case PluginState::retired:
      return "retired";
    case PluginState::failed:
      return "failed";
    case PluginState::unloaded:
      return "unloaded";
  }
  return "unknown";
}

void put_state(PluginRow& row, PluginState state, std::string reason) {
  row.state = state;
  row.reason = std::move(reason);
  row.since = std::chrono::system_clock::now();
}

nlohmann::json to_json(const PluginRow& row) {
  const Instance* instance = row.instance.get();
  nlohmann::json out = {
      {"name", row.name},
      {"version", row.version},
      {"generation", row.generation},
      {"state", name_of(row.state)},
      {"file", row.file},
      {"reason", row.reason.empty() && !row.complaint.empty() ? "not healthy: " + row.complaint : row.reason},
      {"healthy", row.complaint.empty()},
      {"services", row.services},
      {"calls_running", instance == nullptr ? 0 : instance->calls_inside()},
      {"calls_served", instance == nullptr ? 0 : instance->calls_served()},
      {"errors", instance == nullptr ? 0 : instance->errors()},
      {"since", utc_text(row.since)}};
  if (instance != nullptr) wire::put_limit(out, {instance->router().max_running, instance->router().max_queued});
  return out;
}

}  // namespace busbar::host
