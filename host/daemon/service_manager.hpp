// What the service manager is told that has started this process, where it asks for that: systemd, and others that
// speak its notification protocol (sd_notify(3)).
#pragma once

#include <busbar/thread_safety.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::host {

/// Where nobody asks, nothing is said. Threads: any.
class ServiceManager {
 public:
  /// Looks in the environment for where to send, and for how long a watchdog waits.
  ServiceManager();

  /// How often `alive` is to be called: thrice within the watchdog's time, and often enough for people who look at
  /// the status. Nothing: nobody asks.
  std::optional<std::chrono::milliseconds> interval() const;

  /// The host lives. `stuck`: its threads that do not go on, in which case the watchdog is told nothing, so that it
  /// ends the process when its time is over; else it is told, and so is who waits for the start. `status`: a line.
  void alive(const std::vector<std::string_view>& stuck, const std::string& status);

  /// The start is over. Once.
  void ready(const std::string& status);
  /// What was changed by hand is being looked at, until `reloaded`. Each has its own.
  void reloading();
  void reloaded();
  /// It ends, and needs so long at most: so long the manager waits, and the watchdog too.
  void stopping(std::chrono::milliseconds budget);

 private:
  void say(const std::string& message) const;

  enum class State { starting, ready, stopping };
  bool listens_ = false;
  std::optional<std::chrono::milliseconds> watchdog_;
  mutable Mutex mutex_;  // what is sent is sent in the order of what has happened
  State state_ BUSBAR_GUARDED_BY(mutex_) = State::starting;
  unsigned reloads_ BUSBAR_GUARDED_BY(mutex_) = 0;  // that go on
};

}  // namespace busbar::host
