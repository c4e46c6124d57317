// One version after the other, where they cannot serve beside each other: state goes over, or one of them must be
// alone. Calls wait meanwhile (Hold).
#include <algorithm>

#include "plugins/file/router_check.hpp"
#include "plugins/plugin_manager.hpp"

namespace busbar::host {

namespace {

constexpr std::size_t kMostNamed = 5;  // calls that do not end, in one line

// The calls that a handover has waited for in vain.
std::string what_runs(Instance& instance, const Dispatcher& dispatcher) {
  std::string list;
  std::size_t count = 0;
  for (const CallRow& call : dispatcher.calls()) {
    const bool inside = call.state == CallRow::State::running || call.state == CallRow::State::deferred;
    const auto& endpoints = instance.endpoints();
    const bool of_it = std::any_of(endpoints.begin(), endpoints.end(),
                                   [&](const Endpoint& endpoint) { return endpoint.service() == call.service; });
    if (!inside || !of_it || ++count > kMostNamed) continue;
    list += (list.empty() ? "" : ", ") + call.service + " (message " + call.message_id + ", " +
            std::to_string(call.age / kMillisecond) + " ms)";
  }
  return list.empty() ? "a callback that it waits for" : list;
}

}  // namespace

bool PluginManager::must_wait(const Slot& slot, const LoadedPlugin& next) {
  if (slot.plugin == nullptr || slot.row.name != next.instance().facts().plugin) return false;
  return slot.plugin->is_exclusive() || next.is_exclusive() || (slot.plugin->saves_state() && next.restores_state());
}

// Errors: PluginError; then the version before serves on, unless that could not be started again.
void PluginManager::hand_over(const std::string& file, Slot& slot, std::unique_ptr<LoadedPlugin> next, Payload config) {
  const bool alone = slot.plugin->is_exclusive() || next->is_exclusive();
  try {
    if (!alone) start_and_check(*next, config, true);  // what may take long, while the other one serves
    Hold hold(slot.plugin->shared_instance());
    if (!hold.wait_until_quiet(now_ns() + std::chrono::nanoseconds(rules_.handover_timeout).count())) {
      throw PluginError("what version " + slot.row.version +
                        " was doing did not end within plugins.handover_timeout (" +
                        std::to_string(rules_.handover_timeout.count()) +
                        " ms), and nothing was handed over: " + what_runs(slot.plugin->instance(), dispatcher_));
    }
    take_over(file, slot, *next, config, hold);
    hold.move_to(next->instance());
  } catch (...) {
    discard(file, std::move(next));
    throw;
  }
  takes_place(file, slot, std::move(next), std::move(config));
}

// With nobody inside, and the new version started, unless one of them must be alone.
void PluginManager::take_over(const std::string& file, Slot& slot, LoadedPlugin& next, const Payload& config,
                              Hold& hold) {
  LoadedPlugin& before = *slot.plugin;
  const bool alone = before.is_exclusive() || next.is_exclusive();
  std::optional<SavedState> state;
  if (before.saves_state() && next.restores_state()) state = before.save_state();
  if (alone) before.stop();
  try {
    if (alone) start_and_check(next, config, true);
    if (state) next.restore_state(*state);
    publish(slot, next);
  } catch (const std::exception& failure) {
    next.stop();
    if (alone) start_again(file, slot, state, hold, failure.what());
    throw;
  }
}

// The version that was stopped for one that has failed. Errors: PluginError where that cannot be had back either: then
// nobody serves.
void PluginManager::start_again(const std::string& file, Slot& slot, const std::optional<SavedState>& state, Hold& hold,
                                const std::string& why) {
  try {
    slot.plugin->start(slot.config);
    if (state && slot.plugin->restores_state()) slot.plugin->restore_state(*state);
  } catch (const std::exception& failure) {
    const std::string both = why + "; and version " + slot.row.version +
                             ", which had been stopped for it, could not be started again: " + failure.what();
    registry_.withdraw_router(slot.row.name);
    hold.refuse_all("plugin \"" + slot.row.name + "\" does not serve any more: " + both);
    let_go(file, std::move(slot.plugin), slot.row);
    slot.row.instance.reset();
    slot.row.services.clear();
    throw PluginError(both);
  }
}

}  // namespace busbar::host
