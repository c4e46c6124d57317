#include "plugins/retiring.hpp"

#include <algorithm>
#include <iterator>

#include "plugins/plugin_manager.hpp"

namespace busbar::host {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAtRetired{1'000};  // how often it is seen whether what keeps them has gone

}  // namespace

std::string reason_of_stuck(const Instance& instance, const std::vector<EndedInside>& calls) {
  std::string reason = std::to_string(instance.calls_inside()) + " calls have not ended within plugins.drain_timeout";
  for (const EndedInside& call : calls) {
    reason += (&call == &calls.front() ? ": " : ", ") + call.service + " (message " + call.message_id + ", " +
              std::to_string(call.age / kSecond) + " s, " +
              (call.deferred ? "its handler has returned, its reply handle is kept" : "its handler runs") + ")";
  }
  if (const std::uint64_t callbacks = instance.callbacks_expected(); callbacks != 0) {
    reason += "; it waits for the answers of " + std::to_string(callbacks) + " calls that it has made";
  }
  return reason;
}

// Of one that is quiet. False: its image is kept, and it has become retired.
bool PluginManager::unload(Leaving& leaving) {
  leaving.plugin->stop();
  leaving.unloaded = leaving.plugin->unload();
  if (leaving.unloaded.unmapped) {
    next_look_at_retired_ = {};  // what the system's loader has kept of others may have gone with it
    return true;
  }
  put_state(leaving.row, PluginState::retired, leaving.unloaded.reason);
  if (!leaving.unloaded.counts) return false;
  log_.warn("the library of a plugin that was replaced or taken away could not be unloaded, and is kept",
            {{"plugin", leaving.row.name},
             {"version", leaving.row.version},
             {"file", leaving.row.file},
             {"reason", leaving.unloaded.reason}});
  warn_of_retired();
  return false;
}

// Unloads what was kept for a reason that is gone. Returns whether a row has changed.
bool PluginManager::look_at_retired() {
  if (leaving_.empty() || steady_clock::now() < next_look_at_retired_) return false;
  bool changed = false;
  bool gone = false;
  for (auto it = leaving_.begin(); it != leaving_.end();) {
    if (it->row.state != PluginState::retired || it->unloaded.for_ever) {
      ++it;
      continue;
    }
    it->unloaded = it->plugin->unload();
    if (it->unloaded.unmapped) {
      log_.info("the library of a plugin that was kept could be unloaded",
                {{"plugin", it->row.name}, {"version", it->row.version}, {"file", it->row.file}});
      it = leaving_.erase(it);
      changed = gone = true;
      continue;
    }
    changed |= std::exchange(it->row.reason, it->unloaded.reason) != it->unloaded.reason;
    ++it;
  }
  next_look_at_retired_ = steady_clock::now() + kLookAtRetired;
  if (gone) room_was_made();
  return changed;
}

// One that was never put into service: it has a row only where its image is kept, and counts.
void PluginManager::discard(const std::string& file, std::unique_ptr<LoadedPlugin> plugin) {
  PluginRow row;
  row.name = plugin->facts().plugin;
  row.version = plugin->facts().version;
  row.generation = plugin->facts().generation;
  row.file = printable(file);
  if (!plugin->quiet()) {  // its start has asked somebody for something
    plugin->stop();
    return let_go(file, std::move(plugin), std::move(row));
  }
  Leaving leaving{file, std::move(row), std::move(plugin), {}};
  put_state(leaving.row, PluginState::draining);
  if (!unload(leaving) && leaving.unloaded.counts) leaving_.push_back(std::move(leaving));
}

std::size_t PluginManager::retired() const {
  const auto counts = [](const Leaving& leaving) {
    return leaving.row.state == PluginState::retired && leaving.unloaded.counts;
  };
  const auto count = std::count_if(leaving_.begin(), leaving_.end(), counts);
  return static_cast<std::size_t>(count) + LoadedPlugin::left_behind();
}

void PluginManager::warn_of_retired() const {
  const std::size_t most = rules_.max_retired;
  const std::size_t count = retired();
  if (count * 4 < most * 3) return;
  log_.warn("libraries that could not be unloaded fill what they may: when it is full, no plugin is replaced any more",
            {{"kept", count}, {"max_retired", most}});
}

// A first load adds nothing to what is kept. Errors: NoRoom.
void PluginManager::check_room(const Slot& slot) const {
  const std::size_t count = retired();
  if (!slot.plugin || count < rules_.max_retired) return;
  throw NoRoom(std::to_string(count) + " images that could not be unloaded are kept (plugins.max_retired is " +
               std::to_string(rules_.max_retired) + "): restart the host, or raise the key");
}

// Those that were refused for want of it are considered again.
void PluginManager::room_was_made() {
  if (retired() >= rules_.max_retired) return;
  for (auto& [file, slot] : slots_) {
    if (std::exchange(slot.waits_for_room, false)) settling_.happened(file, Change::finished, steady_clock::now());
  }
}

// False: it had to be left as it is, and the process must end without undoing anything of it.
bool PluginManager::unload_at_the_end(std::unique_ptr<LoadedPlugin>& plugin) const {
  const Unloaded unloaded = plugin->unload();
  if (!plugin->is_open()) {
    plugin.reset();
    return true;
  }
  log_.warn("a plugin's library cannot be unloaded: it is left as it is",
            {{"plugin", plugin->facts().plugin}, {"reason", unloaded.reason}});
  static_cast<void>(plugin.release());
  return false;
}

}  // namespace busbar::host
