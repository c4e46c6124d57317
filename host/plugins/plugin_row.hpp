// A line of `busbar plugins`.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/instance.hpp"

namespace busbar::host {

enum class PluginState : std::uint8_t { loading, serving, draining, stuck, retired, failed, unloaded };

std::string_view name_of(PluginState state) noexcept;

/// What is known of one generation of a plugin, or of a file that is none.
struct PluginRow {
  std::string name;     ///< empty where the file does not tell
  std::string version;  ///< likewise
  std::uint64_t generation = 0;
  PluginState state = PluginState::loading;
  std::string file;       ///< its name in the plugin directory
  std::string reason;     ///< why it failed, is kept, or could not be replaced
  std::string complaint;  ///< why it says that it cannot do its work; empty: it is healthy, or was not asked
  std::vector<std::string> services;
  std::chrono::system_clock::time_point since;  ///< of the state
  std::shared_ptr<const Instance> instance;     ///< for the counters; null where nothing is loaded
};

/// Puts a row into a state, from now on.
void put_state(PluginRow& row, PluginState state, std::string reason = {});

/// {"name","version","generation","state","file","reason","services","calls_running","calls_served","errors","since",
/// "healthy"}; the reason of one that is not healthy is its own. Of one that is loaded and limits the calls of all its
/// services together "max_running" and "max_queued".
nlohmann::json to_json(const PluginRow& row);

}  // namespace busbar::host
