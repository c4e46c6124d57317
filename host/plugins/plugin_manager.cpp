#include "plugins/plugin_manager.hpp"

#include <algorithm>

#include "config/nearest.hpp"
#include "plugins/file/router_check.hpp"
#include "plugins/file/trial.hpp"
#include "pool/alternate_stack.hpp"

namespace busbar::host {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAtLeaving{20};    // how often a draining generation is looked at
constexpr std::chrono::milliseconds kLookIfQuiet{1};       // the same when the host stops
constexpr std::chrono::milliseconds kLookAtHealth{5'000};  // how often plugins are asked whether they can work
constexpr int kCopyAttempts = 5;                           // of a file that changes while it is read
constexpr std::chrono::milliseconds kCopyPause{50};

void put_state(PluginRow& row, PluginState state, std::string reason = {}) {
  row.state = state;
  row.reason = std::move(reason);
  row.since = std::chrono::system_clock::now();
}

std::vector<std::string> names_of(const std::vector<ServiceFacts>& services) {
  std::vector<std::string> names;
  for (const auto& service : services) names.push_back(service.name);
  return names;
}

// A copy of a file that does not change meanwhile. Errors: CopyError.
PrivateCopy copy_when_quiet(const PluginCandidate& candidate, const std::filesystem::path& cache,
                            std::uint64_t generation) {
  for (int attempt = 1;; ++attempt) {
    try {
      return make_private_copy(candidate.path, cache, candidate.path.stem().string(), generation);
    } catch (const CopyError& error) {
      if (!error.retry() || attempt == kCopyAttempts) throw;
    }
    std::this_thread::sleep_for(kCopyPause);
  }
}

}  // namespace

PluginManager::PluginManager(PluginManagerOptions options, registry::Registry& registry, Dispatcher& dispatcher,
                             EventStream& events, Logger log, std::function<Logger(const std::string&)> plugin_log)
    : options_(std::move(options)),
      registry_(registry),
      dispatcher_(dispatcher),
      events_(events),
      log_(std::move(log)),
      plugin_log_(std::move(plugin_log)) {}

PluginManager::~PluginManager() {
  if (thread_.joinable()) stop_loading();
  // What was not unloaded may still be entered by calls that have not ended: it is left as it is.
  for (auto& [file, slot] : slots_) static_cast<void>(slot.plugin.release());
  for (auto& leaving : leaving_) static_cast<void>(leaving.plugin.release());
}

void PluginManager::start() {
  scan();
  thread_ = std::thread([this] {
    const AlternateStack stack;
    pthread_setname_np(pthread_self(), "busbar-loader");
    run();
  });
}

void PluginManager::scan(std::function<void()> done) {
  const MutexLock lock(mutex_);
  scan_wanted_ = true;
  if (done) when_scanned_.push_back(std::move(done));
  wake_.notify_all();
}

bool PluginManager::ready() const {
  const MutexLock lock(mutex_);
  return ready_;
}

void PluginManager::when_ready(std::function<void()> tell) {
  {
    const MutexLock lock(mutex_);
    if (!ready_) {
      when_ready_.push_back(std::move(tell));
      return;
    }
  }
  tell();
}

std::vector<PluginRow> PluginManager::rows() const {
  const MutexLock lock(mutex_);
  return rows_;
}

// ---------------------------------------------------------------------------------------------- the loader's thread

void PluginManager::run() {
  while (const auto errand = next_errand()) {
    if (errand->scan) scan_now();
    const bool left = tend_leaving();
    const bool health_changed = look_after_health();
    if (left || health_changed || errand->scan) publish_rows();
    for (const auto& tell : errand->tell) tell();
    if (!errand->scan) continue;
    std::vector<std::function<void()>> tell;
    bool first = false;
    {
      const MutexLock lock(mutex_);
      first = !std::exchange(ready_, true);
      tell = std::exchange(when_ready_, {});
    }
    if (first) look_for_stray_tables();
    for (const auto& one : tell) one();
  }
}

// Waits for something to do; nothing: the end.
std::optional<PluginManager::Errand> PluginManager::next_errand() {
  const auto draining = [](const Leaving& leaving) { return leaving.plugin != nullptr; };
  const bool look_again = std::any_of(leaving_.begin(), leaving_.end(), draining);
  const MutexLock lock(mutex_);
  if (!scan_wanted_ && !ending_) wake_.wait_for(mutex_, look_again ? kLookAtLeaving : kLookAtHealth);
  if (ending_) return std::nullopt;
  Errand errand;
  errand.scan = std::exchange(scan_wanted_, false);
  if (errand.scan) errand.tell = std::exchange(when_scanned_, {});
  return errand;
}

void PluginManager::scan_now() {
  const DirectoryListing listing = list_plugin_directory(options_.directory, {options_.rules.allow_world_writable});
  for (const auto& warning : listing.warnings) log_.warn(warning);
  if (!listing.ok()) {
    // What is loaded goes on serving: a directory that cannot be read says nothing about the plugins in it.
    log_.error("could not look at the plugin directory", {{"reason", listing.problem}});
    put_problem(listing.problem);
    return;
  }
  put_problem({});
  forget_missing(listing.candidates);
  for (const auto& candidate : listing.candidates) {
    if (stop_trials_.stop_requested()) return;  // the host is stopping
    consider(candidate);
  }
}

// Tells of settings for plugins that are not there: most often a name is mistyped.
void PluginManager::look_for_stray_tables() const {
  if (stop_trials_.stop_requested() || !directory_problem().empty()) return;  // not all plugins were seen
  std::vector<std::string> names;
  for (const auto& [file, slot] : slots_) {
    if (!slot.row.name.empty()) names.push_back(slot.row.name);
  }
  for (const auto& [name, table] : options_.tables) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string nearest_name = names.empty() ? "none" : nearest(name, names);
    log_.warn("the configuration has settings for a plugin that is not there",
              {{"table", "[plugin." + name + "]"}, {"nearest_plugin", nearest_name}});
  }
}

void PluginManager::put_problem(const std::string& problem) {
  const MutexLock lock(mutex_);
  directory_problem_ = printable(problem);
}

std::string PluginManager::directory_problem() const {
  const MutexLock lock(mutex_);
  return directory_problem_;
}

void PluginManager::forget_missing(const std::vector<PluginCandidate>& candidates) {
  for (auto it = slots_.begin(); it != slots_.end();) {
    const auto here = [&](const PluginCandidate& candidate) { return candidate.file_name == it->first; };
    if (std::any_of(candidates.begin(), candidates.end(), here)) {
      ++it;
      continue;
    }
    if (it->second.plugin) {
      registry_.withdraw_router(it->second.row.name);
      let_go(std::move(it->second.plugin), it->second.row);
    }
    it = slots_.erase(it);
  }
}

void PluginManager::consider(const PluginCandidate& candidate) {
  Slot& slot = slots_[candidate.file_name];
  if (slot.plugin && unchanged(slot, candidate)) {
    slot.row.reason.clear();  // a newer file that could not be taken is not there any more
    return;
  }
  if (!slot.plugin) {
    slot.row = {};
    slot.row.file = printable(candidate.file_name);
    put_state(slot.row, PluginState::loading);
    publish_rows();
  }
  if (!candidate.usable()) {
    fail(slot, candidate.unusable);
    return;
  }
  load(slot, candidate);
}

// A touched file, or an identical rebuild, is no change.
bool PluginManager::unchanged(Slot& slot, const PluginCandidate& candidate) {
  if (!candidate.usable()) return false;
  if (slot.stamp == candidate.stamp) return true;
  try {
    if (digest_of(candidate.path) != slot.digest) return false;
  } catch (const CopyError&) {
    return false;  // loading it will say why
  }
  slot.stamp = candidate.stamp;
  return true;
}

void PluginManager::load(Slot& slot, const PluginCandidate& candidate) {
  PluginFile facts;
  try {
    put_into_service(slot, try_load(slot, candidate, facts));
    slot.stamp = candidate.stamp;
  } catch (const std::exception& error) {
    if (stop_trials_.stop_requested()) return;  // that says nothing about the plugin
    if (!slot.plugin) {
      slot.row.name = facts.name;
      slot.row.version = facts.version;
    }
    fail(slot, error.what());
  }
}

std::unique_ptr<LoadedPlugin> PluginManager::try_load(Slot& slot, const PluginCandidate& candidate, PluginFile& facts) {
  PrivateCopy copy = copy_when_quiet(candidate, options_.cache, ++copies_made_);
  facts = inspect(copy.path());
  if (!facts.ok()) throw PluginError(facts.reason());
  for (const auto& warning : facts.warnings) {
    log_.warn("plugin file has a flaw", {{"file", candidate.file_name}, {"flaw", warning}});
  }
  check_claims(candidate.file_name, facts.name, facts.router.value_or(RouterFacts{}).services);
  const TrialReport trial =
      try_in_child(options_.trial_program, copy.path(), options_.rules.trial_timeout, stop_trials_.get_token());
  if (!trial.ok()) {
    if (!trial.said.empty()) log_.warn("a plugin on trial said", {{"file", candidate.file_name}, {"said", trial.said}});
    throw PluginError(trial.reason);
  }
  check_claims(candidate.file_name, facts.name, trial.router.services);
  const auto table = options_.tables.find(facts.name);
  const Payload config = Payload::from_json(table == options_.tables.end() ? nlohmann::json::object() : table->second);
  auto plugin = std::make_unique<LoadedPlugin>(std::move(copy), *facts.descriptor, generations_ + 1, config,
                                               dispatcher_, plugin_log_(facts.name));
  ++generations_;
  if (!slot.plugin) slot.row.services = names_of(trial.router.services);
  return plugin;
}

// One plugin name belongs to one file, one service to one plugin. Errors: PluginError naming who holds it.
void PluginManager::check_claims(const std::string& file, const std::string& name,
                                 const std::vector<ServiceFacts>& services) const {
  for (const auto& [other_file, other] : slots_) {
    if (!other.plugin || other_file == file) continue;
    if (other.row.name == name) throw PluginError("name \"" + name + "\" held by " + other_file);
    for (const auto& service : services) {
      if (std::find(other.row.services.begin(), other.row.services.end(), service.name) == other.row.services.end()) {
        continue;
      }
      throw PluginError("service \"" + service.name + "\" of plugin \"" + name + "\" is offered by plugin \"" +
                        other.row.name + "\" (" + other_file + ") already");
    }
  }
}

void PluginManager::put_into_service(Slot& slot, std::unique_ptr<LoadedPlugin> next) {
  const InstanceFacts& facts = next->instance().facts();
  std::unique_ptr<LoadedPlugin> before = std::move(slot.plugin);
  const PluginRow row_before = slot.row;
  const auto services = next->services();
  if (const auto conflict = registry_.register_router(facts.plugin, services)) {
    slot.plugin = std::move(before);
    next->stop();
    next->unload();
    throw PluginError("service \"" + conflict->service + "\" is offered by plugin \"" + conflict->held_by +
                      "\" already");
  }
  if (before && row_before.name != facts.plugin) registry_.withdraw_router(row_before.name);
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
  slot.plugin = std::move(next);
  emit(EventKind::register_local_services, slot.row);
  emit(before ? EventKind::plugin_reloaded : EventKind::plugin_loaded, slot.row);
  if (before) let_go(std::move(before), row_before);
}

// A file that cannot be used. Where an older generation serves, it goes on, and the row says what happened to the
// newer.
void PluginManager::fail(Slot& slot, const std::string& reason) {
  if (slot.plugin) {
    slot.row.reason = "its newer file could not be taken: " + reason;
  } else {
    put_state(slot.row, PluginState::failed, reason);
  }
  emit(EventKind::plugin_failed, slot.row, reason);
}

void PluginManager::let_go(std::unique_ptr<LoadedPlugin> plugin, PluginRow row) {
  put_state(row, PluginState::draining);
  leaving_.push_back({std::move(row), std::move(plugin), steady_clock::now() + options_.rules.drain_timeout});
}

// Unloads what is drained. Returns whether a row has changed.
bool PluginManager::tend_leaving() {
  bool changed = false;
  for (auto it = leaving_.begin(); it != leaving_.end();) {
    if (!it->plugin) {
      ++it;
      continue;
    }
    if (!it->plugin->instance().quiet()) {
      if (it->row.state == PluginState::draining && steady_clock::now() >= it->stuck_at) {
        put_state(it->row, PluginState::stuck, "calls have not ended within plugins.drain_timeout");
        log_.warn("a withdrawn plugin has calls that do not end", {{"plugin", it->row.name}, {"file", it->row.file}});
        changed = true;
      }
      ++it;
      continue;
    }
    it->plugin->stop();
    const Unloaded unloaded = it->plugin->unload();
    it->plugin.reset();
    changed = true;
    emit(EventKind::plugin_unloaded, it->row, unloaded.reason);
    if (unloaded.unmapped) {
      it = leaving_.erase(it);
    } else {
      put_state(it->row, PluginState::retired, unloaded.reason);
      ++it;
    }
  }
  return changed;
}

// Asks every plugin that serves whether it can do its work; on this thread, which alone ends plugins. Returns whether
// an answer has changed.
bool PluginManager::look_after_health() {
  if (steady_clock::now() < next_health_) return false;
  next_health_ = steady_clock::now() + kLookAtHealth;
  bool changed = false;
  for (auto& [file, slot] : slots_) {
    if (!slot.plugin) continue;
    const std::string complaint = slot.plugin->complaint();
    if (complaint == slot.row.complaint) continue;
    slot.row.complaint = complaint;
    changed = true;
    if (complaint.empty()) {
      log_.info("a plugin can do its work again", {{"plugin", slot.row.name}});
    } else {
      log_.warn("a plugin says that it cannot do its work", {{"plugin", slot.row.name}, {"reason", complaint}});
    }
  }
  return changed;
}

void PluginManager::publish_rows() {
  std::vector<PluginRow> rows;
  for (const auto& [file, slot] : slots_) rows.push_back(slot.row);
  for (const auto& leaving : leaving_) rows.push_back(leaving.row);
  const MutexLock lock(mutex_);
  rows_ = std::move(rows);
}

void PluginManager::emit(EventKind kind, const PluginRow& row, std::string_view reason) const {
  Event event;
  event.kind = kind;
  event.plugin = row.name;
  event.file = row.file;
  event.node = dispatcher_.node();
  event.reason = reason;
  events_.emit(event);
}

// ------------------------------------------------------------------------------------------------------------ the end

void PluginManager::stop_loading() {
  stop_trials_.request_stop();
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// Handlers that have returned without an answer (C-R4): their plugins are stopped when it is given, as by a reload.
void PluginManager::wait_until_quiet(Nanos deadline) const {
  const auto is_quiet = [](const auto& row) { return row.plugin == nullptr || row.plugin->instance().quiet(); };
  const auto all_quiet = [&] {
    return std::all_of(slots_.begin(), slots_.end(), [&](const auto& slot) { return is_quiet(slot.second); }) &&
           std::all_of(leaving_.begin(), leaving_.end(), is_quiet);
  };
  while (!all_quiet() && now_ns() < deadline) std::this_thread::sleep_for(kLookIfQuiet);
}

std::size_t PluginManager::stop_all(Nanos deadline) {
  for (const auto& [file, slot] : slots_) {
    if (slot.plugin) registry_.withdraw_router(slot.row.name);
  }
  wait_until_quiet(deadline);
  std::vector<std::unique_ptr<LoadedPlugin>*> plugins;
  for (auto& [file, slot] : slots_) plugins.push_back(&slot.plugin);
  for (auto& leaving : leaving_) plugins.push_back(&leaving.plugin);
  std::erase_if(plugins, [](const auto* plugin) { return *plugin == nullptr; });
  const auto generation = [](const auto* plugin) { return (*plugin)->instance().facts().generation; };
  std::sort(plugins.begin(), plugins.end(), [&](auto* a, auto* b) { return generation(a) > generation(b); });
  std::size_t left = 0;
  for (auto* plugin : plugins) {
    (*plugin)->stop();
    if (!(*plugin)->instance().quiet()) {
      log_.warn("a plugin has calls that did not end in time: it is not destroyed",
                {{"plugin", (*plugin)->instance().facts().plugin}, {"calls", (*plugin)->instance().calls_inside()}});
      static_cast<void>(plugin->release());
      ++left;
      continue;
    }
    (*plugin)->unload();
    plugin->reset();
  }
  return left;
}

}  // namespace busbar::host
