// Signals, received by one thread that waits for them: no handler interrupts anything.
#pragma once

#include <signal.h>

#include <chrono>
#include <optional>

namespace busbar::host {

/// Blocks the signals that a host reacts to, for this thread and those that it starts; they are taken with `wait`.
/// Made in `main` before any thread exists. SIGPIPE is ignored: a client that goes away is an error of a write.
class Signals {
 public:
  Signals();
  /// The next signal. Threads: one at a time.
  int wait() const;
  /// The same, or nothing when none comes in time.
  std::optional<int> wait_for(std::chrono::milliseconds timeout) const;

 private:
  sigset_t set_;
};

}  // namespace busbar::host
