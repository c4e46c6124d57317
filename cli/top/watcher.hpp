// Looks at a host again and again.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "bench/verb.hpp"
#include "top/snapshot.hpp"

namespace busbar::cli {

/// Asks a host for its `stats` and `plugins` at each interval, and goes on trying when it has gone. Nothing of it
/// waits: who uses it polls. Threads: one.
class HostWatcher {
 public:
  using Clock = std::chrono::steady_clock;
  HostWatcher(ConnectPipe connect, std::chrono::milliseconds interval);

  /// Asks where that is due, and takes what has been answered. True: there is another snapshot.
  /// Errors: Failure; of status no_host only where none has answered yet.
  bool work();
  /// Appends what is to be polled until there may be something to do.
  void watch(std::vector<zmq_pollitem_t>& items);
  /// When there is in any case.
  Clock::time_point due() const noexcept { return due_; }

  /// The last snapshot, and the one before, of the same host.
  const std::optional<Snapshot>& now() const noexcept { return now_; }
  const Snapshot* before() const noexcept { return before_ ? &*before_ : nullptr; }
  /// Why there is none that is newer; empty: there is.
  const std::string& problem() const noexcept { return problem_; }

 private:
  /// One of the questions, which come over a connection each.
  struct Question {
    wire::AdminRequest request;
    std::unique_ptr<CallPipe> pipe;
    std::uint64_t asked = 0;
    std::optional<Json> answer;
  };

  void ask();
  bool take();
  static void take(Question& question);

  const ConnectPipe connect_;
  const std::chrono::milliseconds interval_;
  std::array<Question, 2> questions_;  // stats, plugins
  bool waits_ = false;
  bool gone_ = false;
  Clock::time_point asked_at_, due_;
  std::optional<Snapshot> now_, before_;
  std::string problem_;
};

}  // namespace busbar::cli
