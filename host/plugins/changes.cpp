// What becomes of a change in the plugin directory: heard of, left to settle, and then acted on.
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <iterator>

#include "plugins/file/elf_file.hpp"
#include "plugins/plugin_manager.hpp"

namespace busbar::host {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAtLeaving{20};  // how often one that drains, or is on probation, is looked at

WatchMode mode_of(const std::string& watch) {
  if (watch == "poll") return WatchMode::poll;
  return watch == "inotify" ? WatchMode::inotify : WatchMode::automatic;
}

std::optional<Found> found_of(const PluginCandidate* candidate) {
  if (candidate == nullptr) return std::nullopt;
  if (!candidate->usable()) return Found{candidate->stamp, true};
  try {
    const ElfFile file(candidate->path);
    return Found{candidate->stamp, true};
  } catch (const FileProblem& problem) {
    return Found{candidate->stamp, !problem.incomplete()};
  }
}

}  // namespace

void PluginManager::watch() {
  watch_ = std::make_unique<DirectoryWatch>(options_.directory, mode_of(rules_.watch));
  if (!watch_->why().empty()) {
    log_.warn("the plugin directory is looked at each second, as nobody would tell of changes",
              {{"directory", options_.directory.string()}, {"reason", watch_->why()}});
  }
  const MutexLock lock(mutex_);
  watching_ = {watch_->polls(), watch_->why()};
}

PluginManager::Watching PluginManager::watching() const {
  const MutexLock lock(mutex_);
  return watching_;
}

void PluginManager::ring() noexcept { ::eventfd_write(bell_.get(), 1); }

void PluginManager::wait_for_something() {
  const auto now = steady_clock::now();
  const auto draining = [](const Leaving& leaving) { return leaving.row.state != PluginState::retired; };
  auto until = std::min(next_health_, next_rescan_);
  if (std::any_of(leaving_.begin(), leaving_.end(), draining)) until = std::min(until, now + kLookAtLeaving);
  if (is_on_probation()) until = std::min(until, now + kLookAtLeaving);
  if (!leaving_.empty()) until = std::min(until, next_look_at_retired_);
  if (const auto due = settling_.next_due()) until = std::min(until, *due);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(until - now, steady_clock::duration::zero()));
  pollfd descriptors[] = {{bell_.get(), POLLIN, 0}, {watch_->descriptor(), POLLIN, 0}};
  ::poll(descriptors, std::size(descriptors), static_cast<int>(left.count()));
  eventfd_t rings = 0;
  ::eventfd_read(bell_.get(), &rings);
}

void PluginManager::hear() {
  const auto now = steady_clock::now();
  for (const auto& event : watch_->read()) {
    if (event.name.empty()) {
      next_rescan_ = now;  // the directory is another one, or something was not told
    } else if (is_plugin_file_name(event.name)) {
      settling_.happened(event.name, event.change, now);
    }
  }
}

// What is in the directory; nothing: that cannot be said. What is loaded goes on serving then.
std::optional<DirectoryListing> PluginManager::list() {
  watch_->follow();
  const auto interval = watch_->interval();
  // Hosts that share a directory do not all look at the same time.
  next_rescan_ = steady_clock::now() + interval + interval * (random_() % 256) / 1024;
  DirectoryListing listing = list_plugin_directory(options_.directory, {rules_.allow_world_writable});
  const std::string told = listing.ok() ? std::string() : printable(listing.problem);
  const bool is_news = told != directory_problem();
  if (is_news || listing.warnings != directory_warnings_) {
    for (const auto& warning : listing.warnings) log_.warn(warning);
    directory_warnings_ = listing.warnings;
  }
  if (is_news && !listing.ok()) log_.error("could not look at the plugin directory", {{"reason", listing.problem}});
  {
    const MutexLock lock(mutex_);
    directory_problem_ = told;
  }
  if (!listing.ok()) return std::nullopt;
  return listing;
}

// Returns whether something was acted on.
bool PluginManager::look_at_changes() {
  const auto now = steady_clock::now();
  const bool rescan = now >= next_rescan_;
  if (!rescan && settling_.due(now).empty()) return false;
  const auto listing = list();
  if (!listing) return false;
  if (rescan) look_for_changes(*listing);
  const std::set<std::string> names = settled(*listing);
  if (names.empty()) return false;
  forget_missing(*listing, &names);
  for (const auto& candidate : listing->candidates) {
    if (stop_trials_.stop_requested()) break;  // the host is stopping
    // What could not be had because another plugin had it may be free now.
    const auto slot = slots_.find(candidate.file_name);
    const bool may_be_free = slot != slots_.end() && slot->second.claimed && !settling_.waits_for(candidate.file_name);
    if (names.contains(candidate.file_name) || may_be_free) consider(candidate);
  }
  return true;
}

// For changes that nobody has told of.
void PluginManager::look_for_changes(const DirectoryListing& listing) {
  const auto now = steady_clock::now();
  const auto changed = [&](const std::string& file) {
    if (!settling_.waits_for(file)) settling_.happened(file, Change::other, now);
  };
  for (const auto& candidate : listing.candidates) {
    const auto slot = slots_.find(candidate.file_name);
    if (slot == slots_.end() || slot->second.looked_at != candidate.stamp) changed(candidate.file_name);
  }
  for (const auto& [file, slot] : slots_) {
    if (listing.find(file) == nullptr) changed(file);
  }
}

// The names that are to be acted on now.
std::set<std::string> PluginManager::settled(const DirectoryListing& listing) {
  const auto now = steady_clock::now();
  std::set<std::string> names;
  for (const auto& name : settling_.due(now)) {
    if (!settling_.look(name, found_of(listing.find(name)), now)) continue;
    if (is_draining(name)) {  // one at a time: of all that come meanwhile only the last is taken
      settling_.happened(name, Change::finished, now);
    } else {
      names.insert(name);
    }
  }
  return names;
}

bool PluginManager::is_draining(const std::string& file) const {
  return std::any_of(leaving_.begin(), leaving_.end(), [&](const Leaving& leaving) {
    return leaving.row.state == PluginState::draining && leaving.file == file;
  });
}

}  // namespace busbar::host
