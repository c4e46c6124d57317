// Says which repeats of a log line are worth writing.
#pragma once

#include <busbar/thread_safety.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace busbar::host {

/// Lets the first line of each key through, then at most one per interval, and counts the others.
/// At most `max_keys` are remembered. When that many are active, all further ones count as one key together, so that
/// somebody who makes names up can cause at most `max_keys` + 1 lines an interval. What a forgotten key had held back
/// is told with theirs, so that no count is lost. Threads: any. Example: if (auto line = limit.ask(service))
/// log.warn("…", {{"service", service}, {"suppressed", line.suppressed}});
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  struct Verdict {
    bool allowed = false;
    std::uint64_t suppressed = 0; /* how many were held back since the last line that was let through */
    explicit operator bool() const noexcept { return allowed; }
  };

  explicit RateLimit(Clock::duration interval, std::size_t max_keys = 1024);

  Verdict ask(std::string_view key, Clock::time_point now = Clock::now());

 private:
  struct Entry {
    Clock::time_point last;
    std::uint64_t suppressed = 0;
    bool used = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  Entry& entry_of(std::string_view key, Clock::time_point now) BUSBAR_REQUIRES(mutex_);
  void forget_idle(Clock::time_point now) BUSBAR_REQUIRES(mutex_);

  const Clock::duration interval_;
  const std::size_t max_keys_;

  Mutex mutex_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_ BUSBAR_GUARDED_BY(mutex_);
  Entry others_ BUSBAR_GUARDED_BY(mutex_);
  Clock::time_point next_sweep_ BUSBAR_GUARDED_BY(mutex_) = Clock::time_point::min();
};

}  // namespace busbar::host
