// Versions that have shown that they do not work: one that has crashed the host, one that fails from its first call on.
#include <algorithm>
#include <chrono>

#include "log/text.hpp"
#include "plugins/plugin_manager.hpp"

namespace busbar::host {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::minutes kRemembered{10};          // crashes
constexpr std::chrono::milliseconds kLookAtHealth{500};  // of one that has just taken another's place

}  // namespace

// One bad drop is no endless loop of restarts.
void PluginManager::heed_last_crash() {
  if (!options_.crashed) return;
  const Crash& crash = *options_.crashed;
  log_.error("the host crashed inside a plugin when it ran last",
             {{"plugin", crash.plugin}, {"file", crash.file}, {"what", crash.what}});
  try {
    const std::size_t count = marks_.note(crash, kRemembered);
    if (count < rules_.max_crashes) return;
    const std::string reason = "quarantined: it has crashed this host " + std::to_string(count) +
                               " times within 10 minutes (plugins.max_crashes), the last time with " + crash.what +
                               "; another file, or \"busbar reload " + crash.plugin + "\", has it tried again";
    // A version that the host had gone back to is not the one in the directory, whose digest counts.
    const Mark* const before = marks_.find(crash.file);
    const bool is_previous = before != nullptr && before->kind == Mark::Kind::rolled_back;
    const std::string digest = is_previous ? before->digest : crash.digest;
    marks_.put(crash.file, {Mark::Kind::quarantined, digest, crash.plugin, reason});
    log_.error("a plugin is quarantined", {{"plugin", crash.plugin}, {"file", crash.file}, {"reason", reason}});
  } catch (const std::exception& failure) {
    log_.error("could not keep in mind that a plugin has crashed the host",
               {{"plugin", crash.plugin}, {"reason", failure.what()}});
  }
}

bool PluginManager::is_on_probation() const {
  const auto now = steady_clock::now();
  return rules_.auto_rollback && std::any_of(slots_.begin(), slots_.end(), [&](const auto& row) {
           return row.second.plugin && row.second.on_probation_until > now;
         });
}

// Goes back where a version that has just taken another's place does nothing but fail. Returns whether it did.
bool PluginManager::look_after_newcomers() {
  if (!is_on_probation()) return false;
  const auto now = steady_clock::now();
  const bool asks = now >= next_look_at_newcomers_;
  if (asks) next_look_at_newcomers_ = now + kLookAtHealth;
  bool changed = false;
  for (auto& [file, slot] : slots_) {
    if (!slot.plugin || slot.on_probation_until <= now) continue;
    std::string why;
    if (slot.plugin->instance().began_with_faults()) {
      why = "its first " + std::to_string(Instance::kFirstCalls) + " calls all ended in badrpc(exit or bad_return)";
    } else if (const std::string complaint = asks ? slot.plugin->complaint() : std::string(); !complaint.empty()) {
      why = "it says that it cannot do its work: " + complaint;
    }
    if (why.empty()) continue;
    changed = true;
    emit(EventKind::plugin_failed, slot.row, why);
    try {
      go_back(file, slot, why + " (plugins.auto_rollback)");
    } catch (const std::exception& failure) {
      log_.error("a new version only fails, and the one before could not be had back",
                 {{"plugin", slot.row.name}, {"why", why}, {"reason", failure.what()}});
    }
  }
  return changed;
}

}  // namespace busbar::host
