// From which level on each logger writes, and how that changes while the host runs.
#pragma once

#include "log/level.hpp"

#include <busbar/thread_safety.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::host {

/// What a logger reads for each line.
struct LogChannel {
  explicit LogChannel(std::string_view of) : name(of) {}
  const std::string name;
  std::atomic<int> level{0};
};

/// The levels of all loggers. A *part* is a logger, or all whose names begin with it and a dot: `host`, `host.loader`,
/// `plugin.greeter`. Of the parts that are named the longest decides; where none is, the level of all.
/// Ownership: loggers own their channels; those that no logger has any more are forgotten. Threads: any.
class LogLevels {
 public:
  explicit LogLevels(const LogSettings& configured);

  /// The channel of the loggers of this name. Errors: std::bad_alloc.
  std::shared_ptr<const LogChannel> channel(std::string_view name);

  /// What the configuration says from now on; what was set meanwhile stays.
  void configure(const LogSettings& configured);
  /// Takes effect at once, also for loggers that were handed out before, and for those that come. An empty part is all.
  void set(std::string_view part, LogLevel level);
  /// What the configuration says of the part holds again; an empty one: whatever was set is taken back.
  void take_back(std::string_view part);

  struct Row {
    std::string part; /* empty: all, as far as nothing else is said */
    LogLevel level = LogLevel::info;
    bool changed = false; /* what decides it was set after the start */
  };
  /// All first; then each part that has a logger, or of which something is said, by name.
  std::vector<Row> rows() const;
  /// Whether that is a part of which something can be said now: there is a logger of it.
  bool has(std::string_view part) const;

 private:
  using Rules = std::map<std::string, LogLevel, std::less<>>;

  Row decide(std::string_view name) const BUSBAR_REQUIRES(mutex_);
  void apply() BUSBAR_REQUIRES(mutex_);

  mutable Mutex mutex_;
  Rules configured_ BUSBAR_GUARDED_BY(mutex_);  // the empty part is that of all
  Rules set_ BUSBAR_GUARDED_BY(mutex_);
  std::map<std::string, std::weak_ptr<LogChannel>, std::less<>> channels_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::host
