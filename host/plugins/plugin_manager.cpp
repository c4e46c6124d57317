#include "plugins/plugin_manager.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

#include "config/nearest.hpp"
#include "plugins/file/router_check.hpp"
#include "plugins/retiring.hpp"
#include "pool/alternate_stack.hpp"
#include "scheduling/while_giving_way.hpp"

namespace busbar::host {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookIfQuiet{1};       // how often calls are looked at when the host stops
constexpr std::chrono::milliseconds kLookAtHealth{5'000};  // how often plugins are asked whether they can work
constexpr std::size_t kMostNamed = 5;                      // calls that do not end, in one line

int make_bell() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor >= 0) return descriptor;
  throw std::system_error(errno, std::generic_category(), "cannot open a descriptor for the loader");
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
      rules_(options_.rules.keys),
      tables_(options_.rules.tables),
      marks_(options_.state, log_),
      bell_(make_bell()) {
  heed_last_crash();
}

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

void PluginManager::order(Order order) {
  const MutexLock lock(mutex_);
  orders_.push_back(std::move(order));
  ring();
}

void PluginManager::set_rules(PluginRules rules) {
  const MutexLock lock(mutex_);
  next_rules_ = std::move(rules);
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
  while (auto errand = next_errand()) {
    hear();
    if (errand->rules) take_rules(std::move(*errand->rules));
    if (errand->scan) scan_now();
    carry_out_orders(std::move(errand->orders));
    const bool changed = look_at_changes();
    const bool left = tend_leaving();
    const bool health_changed = look_after_health();
    const bool went_back = look_after_newcomers();
    if (changed || left || health_changed || went_back || errand->scan) publish_rows();
    std::move(errand->tell.begin(), errand->tell.end(), std::back_inserter(when_scan_is_over_));
    if (!when_scan_is_over_.empty() && scan_is_over()) {
      for (const auto& tell : std::exchange(when_scan_is_over_, {})) tell();
    }
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
  errand.orders = std::exchange(orders_, {});
  errand.rules = std::exchange(next_rules_, std::nullopt);
  if (errand.scan) errand.tell = std::exchange(when_scanned_, {});
  return errand;
}

void PluginManager::take_rules(PluginRules rules) {
  const bool tables_changed = rules.tables != tables_;
  rules_ = std::move(rules.keys);
  tables_ = std::move(rules.tables);
  room_was_made();                     // where more may be kept
  next_rescan_ = steady_clock::now();  // where the directory counts as another one
  if (tables_changed && ready()) look_for_stray_tables();
}

// What is asked for is done at once, also with a file that might be written to once more.
void PluginManager::scan_now() {
  const auto listing = list();
  if (!listing) return;
  settling_.clear();
  forget_missing(*listing, nullptr);
  for (const auto& candidate : listing->candidates) {
    if (stop_trials_.stop_requested()) return;  // the host is stopping
    const auto slot = slots_.find(candidate.file_name);
    const bool serves = slot != slots_.end() && slot->second.plugin && slot->second.stamp == candidate.stamp;
    if (serves || !is_draining(candidate.file_name)) {
      consider(candidate);
      continue;
    }
    settling_.happened(candidate.file_name, Change::finished, steady_clock::now());  // a third version waits
    waits_in_scan_.insert(candidate.file_name);
  }
}

// Whether all that the last scan has found had its turn.
bool PluginManager::scan_is_over() {
  std::erase_if(waits_in_scan_,
                [this](const std::string& file) { return !settling_.waits_for(file) && !is_draining(file); });
  return waits_in_scan_.empty();
}

// Tells of settings for plugins that are not there: most often a name is mistyped.
void PluginManager::look_for_stray_tables() const {
  if (stop_trials_.stop_requested() || !directory_problem().empty()) return;  // not all plugins were seen
  std::vector<std::string> names;
  for (const auto& [file, slot] : slots_) {
    if (!slot.row.name.empty()) names.push_back(slot.row.name);
  }
  for (const auto& [name, table] : tables_) {
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
    unmark(it->first);
    marks_.forget_previous(it->first);
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
  slot.claimed = slot.waits_for_room = false;
  if (is_decided(slot, candidate)) return;
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
  if (candidate.usable()) {
    load(slot, candidate);
  } else {
    fail(slot, candidate.unusable);
  }
}

// A touched file, or an identical rebuild, is no change.
bool PluginManager::unchanged(Slot& slot, const PluginCandidate& candidate) {
  if (!candidate.usable()) return false;
  if (slot.stamp == candidate.stamp) return true;
  try {
    if (while_giving_way("busbar-judge", [&] { return digest_of(candidate.path); }) != slot.digest) return false;
  } catch (const CopyError&) {
    return false;  // loading it will say why
  }
  slot.stamp = candidate.stamp;
  return true;
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
  leaving_.push_back({file, std::move(row), std::move(plugin), steady_clock::now() + rules_.drain_timeout});
}

// Unloads what is drained. Returns whether a row has changed.
bool PluginManager::tend_leaving() {
  bool changed = false;
  for (auto it = leaving_.begin(); it != leaving_.end();) {
    if (it->row.state == PluginState::retired) {
      ++it;
      continue;
    }
    if (!it->plugin->quiet()) {
      if (it->row.state == PluginState::draining && steady_clock::now() >= it->stuck_at) {
        give_up_on(*it);
        changed = true;
      }
      ++it;
      continue;
    }
    changed = true;
    const bool gone = unload(*it);
    emit(EventKind::plugin_unloaded, it->row, it->unloaded.reason);
    it = gone ? leaving_.erase(it) : std::next(it);
  }
  return look_at_retired() || changed;
}

// Its callers are told, and wait no more. What runs there goes on: nothing of the plugin may be ended before it.
void PluginManager::give_up_on(Leaving& leaving) {
  std::size_t count = 0;
  const auto calls = dispatcher_.end_calls_inside(leaving.plugin->instance(), kMostNamed, count);
  const std::string reason = reason_of_stuck(leaving.plugin->instance(), calls);
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
  {
    const MutexLock lock(mutex_);
    rows_ = std::move(rows);
  }
  if (options_.changed) options_.changed();
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
  const auto is_quiet = [](const auto& row) { return row.plugin == nullptr || row.plugin->quiet(); };
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
  const auto generation = [](const auto* plugin) { return (*plugin)->facts().generation; };
  std::sort(plugins.begin(), plugins.end(), [&](auto* a, auto* b) { return generation(a) > generation(b); });
  std::size_t left = 0;
  for (auto* plugin : plugins) {
    (*plugin)->stop();
    if (!(*plugin)->quiet()) {
      log_.warn("a plugin has calls that did not end in time: it is not destroyed",
                {{"plugin", (*plugin)->facts().plugin}, {"calls", (*plugin)->instance().calls_inside()}});
      static_cast<void>(plugin->release());
      ++left;
      continue;
    }
    if (!unload_at_the_end(*plugin)) ++left;
  }
  return left;
}

}  // namespace busbar::host
