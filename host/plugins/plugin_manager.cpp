#include "plugins/plugin_manager.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "config/nearest.hpp"
#include "plugins/file/router_check.hpp"
#include "plugins/file/trial.hpp"
#include "pool/alternate_stack.hpp"

namespace busbar::host {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookIfQuiet{1};       // how often calls are looked at when the host stops
constexpr std::chrono::milliseconds kLookAtHealth{5'000};  // how often plugins are asked whether they can work
constexpr std::size_t kMostNamed = 5;                      // calls that do not end, in one line
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

int make_bell() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor >= 0) return descriptor;
  throw std::system_error(errno, std::generic_category(), "cannot open a descriptor for the loader");
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
      plugin_log_(std::move(plugin_log)),
      bell_(make_bell()) {}

PluginManager::~PluginManager() {
  if (thread_.joinable()) stop_loading();
  // What was not unloaded may still be entered by calls that have not ended: it is left as it is.
  for (auto& [file, slot] : slots_) static_cast<void>(slot.plugin.release());
  for (auto& leaving : leaving_) static_cast<void>(leaving.plugin.release());
}

void PluginManager::start() {
  watch();  // first: what changes while the directory is looked at for the first time is told of
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
  ring();
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
    hear();
    if (errand->scan) scan_now();
    const bool changed = look_at_changes();
    const bool left = tend_leaving();
    const bool health_changed = look_after_health();
    if (changed || left || health_changed || errand->scan) publish_rows();
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
  wait_for_something();
  const MutexLock lock(mutex_);
  if (ending_) return std::nullopt;
  Errand errand;
  errand.scan = std::exchange(scan_wanted_, false);
  if (errand.scan) errand.tell = std::exchange(when_scanned_, {});
  return errand;
}

// What is asked for is done at once, also with a file that might be written to once more.
void PluginManager::scan_now() {
  const auto listing = list();
  if (!listing) return;
  settling_.clear();
  forget_missing(*listing, nullptr);
  for (const auto& candidate : listing->candidates) {
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

std::string PluginManager::directory_problem() const {
  const MutexLock lock(mutex_);
  return directory_problem_;
}

// `among`: the names that may be forgotten; null: all. Returns whether one was.
bool PluginManager::forget_missing(const DirectoryListing& listing, const std::set<std::string>* among) {
  bool forgotten = false;
  for (auto it = slots_.begin(); it != slots_.end();) {
    if (listing.find(it->first) != nullptr || (among != nullptr && !among->contains(it->first))) {
      ++it;
      continue;
    }
    forgotten = true;
    if (it->second.plugin) {
      registry_.withdraw_router(it->second.row.name);
      let_go(it->first, std::move(it->second.plugin), it->second.row);
    }
    it = slots_.erase(it);
  }
  return forgotten;
}

void PluginManager::consider(const PluginCandidate& candidate) {
  Slot& slot = slots_[candidate.file_name];
  slot.looked_at = candidate.stamp;
  slot.claimed = false;
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
    put_into_service(candidate.file_name, slot, try_load(slot, candidate, facts));
    slot.stamp = candidate.stamp;
  } catch (const std::exception& error) {
    if (stop_trials_.stop_requested()) return;  // that says nothing about the plugin
    slot.claimed = dynamic_cast<const ClaimError*>(&error) != nullptr;
    const auto* copy = dynamic_cast<const CopyError*>(&error);
    if (copy != nullptr && copy->retry()) {
      settling_.happened(candidate.file_name, Change::other, steady_clock::now());
    }
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

void PluginManager::put_into_service(const std::string& file, Slot& slot, std::unique_ptr<LoadedPlugin> next) {
  const InstanceFacts& facts = next->instance().facts();
  // One that could do nothing takes nobody's place. Where there is none to go on, it serves, and says what is wrong.
  if (const std::string complaint = slot.plugin ? next->complaint() : std::string(); !complaint.empty()) {
    next->stop();
    next->unload();
    throw PluginError("it says that it cannot do its work: " + complaint);
  }
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
  if (before) let_go(file, std::move(before), row_before);
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

void PluginManager::let_go(const std::string& file, std::unique_ptr<LoadedPlugin> plugin, PluginRow row) {
  put_state(row, PluginState::draining);
  leaving_.push_back({file, std::move(row), std::move(plugin), steady_clock::now() + options_.rules.drain_timeout});
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
        give_up_on(*it);
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

// Its callers are told, and wait no more. What runs there goes on: nothing of the plugin may be ended before it.
void PluginManager::give_up_on(Leaving& leaving) {
  std::size_t count = 0;
  const auto calls = dispatcher_.end_calls_inside(leaving.plugin->instance(), kMostNamed, count);
  std::string reason =
      std::to_string(leaving.plugin->instance().calls_inside()) + " calls have not ended within plugins.drain_timeout";
  for (const EndedInside& call : calls) {
    const std::string age = std::to_string(call.age / kSecond) + " s";
    reason +=
        (&call == &calls.front() ? ": " : ", ") + call.service + " (message " + call.message_id + ", " + age + ")";
  }
  put_state(leaving.row, PluginState::stuck, reason);
  log_.warn("a withdrawn plugin has calls that do not end: their callers were told badrpc(unloaded)",
            {{"plugin", leaving.row.name}, {"file", leaving.row.file}, {"callers", count}, {"calls", reason}});
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
    ring();
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
