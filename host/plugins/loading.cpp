// From a file in the plugin directory to a version that serves.
#include <algorithm>
#include <chrono>
#include <thread>

#include "plugins/file/router_check.hpp"
#include "plugins/file/trial.hpp"
#include "plugins/plugin_manager.hpp"
#include "plugins/retiring.hpp"
#include "pool/alternate_stack.hpp"
#include "scheduling/while_giving_way.hpp"

namespace busbar::host {

namespace {

using std::chrono::steady_clock;

constexpr int kCopyAttempts = 5;  // of a file that changes while it is read
constexpr std::chrono::milliseconds kCopyPause{50};
constexpr std::chrono::seconds kProbation{10};

std::vector<std::string> names_of(const std::vector<ServiceFacts>& services) {
  std::vector<std::string> names;
  for (const auto& service : services) names.push_back(service.name);
  return names;
}

// A name or a service that another plugin has.
class ClaimError : public PluginError {
 public:
  using PluginError::PluginError;
};

// A copy of a file that does not change meanwhile. Errors: CopyError.
PrivateCopy copy_when_quiet(const PluginCandidate& candidate, const std::filesystem::path& cache,
                            std::uint64_t generation) {
  for (int attempt = 1;; ++attempt) {
    try {
      return make_private_copy(candidate.path, cache, std::filesystem::path(candidate.file_name).stem().string(),
                               generation);
    } catch (const CopyError& error) {
      if (!error.retry() || attempt == kCopyAttempts) throw;
    }
    std::this_thread::sleep_for(kCopyPause);
  }
}

}  // namespace

struct PluginManager::Stopwatch {
  steady_clock::time_point begun = steady_clock::now();
  steady_clock::time_point last = begun;
  std::int64_t copied_us = 0, checked_us = 0, tried_us = 0, mapped_us = 0, started_us = 0;

  void lap(std::int64_t& part) {
    const auto now = steady_clock::now();
    part = std::chrono::duration_cast<std::chrono::microseconds>(now - std::exchange(last, now)).count();
  }
  std::int64_t whole_us() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count();
  }
};

// Returns whether it serves now.
bool PluginManager::load(Slot& slot, const PluginCandidate& candidate) {
  PluginFile facts;
  Stopwatch watch;
  try {
    check_room(slot);
    std::unique_ptr<LoadedPlugin> next = try_load(slot, candidate, facts, watch);
    Payload config = config_of(facts.name);
    if (must_wait(slot, *next)) {
      hand_over(candidate.file_name, slot, std::move(next), std::move(config));
    } else {
      put_into_service(candidate.file_name, slot, std::move(next), std::move(config));
    }
    watch.lap(watch.started_us);
    slot.stamp = candidate.stamp;
    log_.info("took a plugin into service", {{"plugin", slot.row.name},
                                             {"version", slot.row.version},
                                             {"generation", slot.row.generation},
                                             {"took_us", watch.whole_us()},
                                             {"copying_us", watch.copied_us},
                                             {"checking_us", watch.checked_us},
                                             {"trying_us", watch.tried_us},
                                             {"loading_us", watch.mapped_us},
                                             {"starting_us", watch.started_us}});
    return true;
  } catch (const std::exception& error) {
    if (stop_trials_.stop_requested()) return false;  // that says nothing about the plugin
    slot.claimed = dynamic_cast<const ClaimError*>(&error) != nullptr;
    slot.waits_for_room = dynamic_cast<const NoRoom*>(&error) != nullptr;
    const auto* copy = dynamic_cast<const CopyError*>(&error);
    if (copy != nullptr && copy->retry()) {
      settling_.happened(candidate.file_name, Change::other, steady_clock::now());
    }
    if (!slot.plugin) {
      slot.row.name = facts.name;
      slot.row.version = facts.version;
    }
    fail(slot, error.what());
    return false;
  }
}

// A copy of the file, and what it offers: all that can be known before its code runs in this process.
struct PluginManager::Judged {
  PrivateCopy copy;
  RouterFacts router;
};

// Errors: PluginError, CopyError.
PluginManager::Judged PluginManager::judge(const PluginCandidate& candidate, PluginFile& facts, Stopwatch& watch) {
  PrivateCopy copy = copy_when_quiet(candidate, options_.cache, ++copies_made_);
  watch.lap(watch.copied_us);
  facts = inspect(copy.path());
  if (!facts.ok()) throw PluginError(facts.reason());
  for (const auto& warning : facts.warnings) {
    log_.warn("plugin file has a flaw", {{"file", candidate.file_name}, {"flaw", warning}});
  }
  check_claims(candidate.file_name, facts.name, facts.router.value_or(RouterFacts{}).services);
  watch.lap(watch.checked_us);
  const TrialReport trial =
      try_in_child(options_.trial_program, copy.path(), rules_.trial_timeout, stop_trials_.get_token());
  if (!trial.ok()) {
    if (!trial.said.empty()) log_.warn("a plugin on trial said", {{"file", candidate.file_name}, {"said", trial.said}});
    throw PluginError(trial.reason);
  }
  check_claims(candidate.file_name, facts.name, trial.router.services);
  watch.lap(watch.tried_us);
  return {std::move(copy), trial.router};
}

// Errors: PluginError, CopyError.
std::unique_ptr<LoadedPlugin> PluginManager::try_load(Slot& slot, const PluginCandidate& candidate, PluginFile& facts,
                                                      Stopwatch& watch) {
  // It takes some 10 ms of a processor, which callers must not wait for. What follows runs the plugin's own code, whose
  // threads are to be as quick as any.
  Judged judged = while_giving_way("busbar-judge", [&] {
    const AlternateStack stack;
    return judge(candidate, facts, watch);
  });
  const InstanceFacts next{facts.name, {}, generations_ + 1};
  if (options_.entering) {
    options_.entering({next.number(), facts.name, candidate.file_name, judged.copy.digest(), judged.copy.path()});
  }
  auto plugin = std::make_unique<LoadedPlugin>(std::move(judged.copy), *facts.descriptor, generations_ + 1, dispatcher_,
                                               plugin_log_(facts.name));
  ++generations_;
  if (!slot.plugin) slot.row.services = names_of(judged.router.services);
  watch.lap(watch.mapped_us);
  return plugin;
}

Payload PluginManager::config_of(const std::string& plugin) const {
  const auto table = tables_.find(plugin);
  return Payload::from_json(table == tables_.end() ? nlohmann::json::object() : table->second);
}

// One plugin name belongs to one file, one service to one plugin. Errors: PluginError naming who holds it.
void PluginManager::check_claims(const std::string& file, const std::string& name,
                                 const std::vector<ServiceFacts>& services) const {
  for (const auto& [other_file, other] : slots_) {
    if (!other.plugin || other_file == file) continue;
    if (other.row.name == name) throw ClaimError("name \"" + name + "\" held by " + other_file);
    for (const auto& service : services) {
      if (std::find(other.row.services.begin(), other.row.services.end(), service.name) == other.row.services.end()) {
        continue;
      }
      throw ClaimError("service \"" + service.name + "\" of plugin \"" + name + "\" is offered by plugin \"" +
                       other.row.name + "\" (" + other_file + ") already");
    }
  }
}

// Starts it, and asks whether it can work where it must: one that could do nothing takes nobody's place. Where there is
// none to go on, it serves, and says what is wrong. Errors: PluginError; it is not started then.
void PluginManager::start_and_check(LoadedPlugin& next, const Payload& config, bool must_be_well) const {
  next.start(config);
  const std::string complaint = must_be_well ? next.complaint() : std::string();
  if (complaint.empty()) return;
  next.stop();
  throw PluginError("it says that it cannot do its work: " + complaint);
}

// Beside the version that serves, if there is one.
void PluginManager::put_into_service(const std::string& file, Slot& slot, std::unique_ptr<LoadedPlugin> next,
                                     Payload config) {
  try {
    start_and_check(*next, config, slot.plugin != nullptr);
    publish(slot, *next);
  } catch (...) {
    discard(file, std::move(next));
    throw;
  }
  takes_place(file, slot, std::move(next), std::move(config));
}

// From here on calls find the new version. Errors: PluginError; then nothing has changed.
void PluginManager::publish(const Slot& slot, LoadedPlugin& next) const {
  const InstanceFacts& facts = next.instance().facts();
  if (const auto conflict = registry_.register_router(facts.plugin, next.services())) {
    throw PluginError("service \"" + conflict->service + "\" is offered by plugin \"" + conflict->held_by +
                      "\" already");
  }
  if (slot.plugin != nullptr && slot.row.name != facts.plugin) registry_.withdraw_router(slot.row.name);
}

// After that: what is known of the file is the new version's, and the one before ends what it runs.
void PluginManager::takes_place(const std::string& file, Slot& slot, std::unique_ptr<LoadedPlugin> next,
                                Payload config) {
  const InstanceFacts& facts = next->instance().facts();
  std::unique_ptr<LoadedPlugin> before = std::move(slot.plugin);
  const PluginRow row_before = slot.row;
  const auto services = next->services();
  slot.row.name = facts.plugin;
  slot.row.version = facts.version;
  slot.row.generation = facts.generation;
  slot.row.complaint.clear();
  next_health_ = {};  // asked once this scan is over
  slot.row.services.clear();
  for (const auto& service : services) slot.row.services.push_back(service->service());
  slot.row.instance = std::shared_ptr<const Instance>(services.front(), &next->instance());
  put_state(slot.row, PluginState::serving);
  slot.digest = next->copy().digest();
  slot.config = std::move(config);
  slot.plugin = std::move(next);
  emit(EventKind::register_local_services, slot.row);
  emit(before ? EventKind::plugin_reloaded : EventKind::plugin_loaded, slot.row);
  if (!before) return;
  if (!goes_back_ &&
      while_giving_way("busbar-keep", [&] { return marks_.keep_previous(file, before->copy().path()); })) {
    slot.on_probation_until = steady_clock::now() + kProbation;
  }
  let_go(file, std::move(before), row_before);
}

}  // namespace busbar::host
