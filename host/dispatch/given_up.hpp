// Attempts at other nodes that were given up: so that an answer which comes too late is known for what it is.
#pragma once

#include <busbar/text.hpp>
#include <busbar/thread_safety.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "log/line.hpp"
#include "log/log.hpp"
#include "log/rate_limit.hpp"

namespace busbar::host {

/// Remembers the last of them, and tells of the answer that comes to one: at most a line a second for each node, with
/// the number of those that were left out. Threads: `log_to` before the first call; everything else any.
class GivenUp {
 public:
  /// Where more are given up before their answers come, the answers to the oldest are taken for unasked ones.
  static constexpr std::size_t kEntries = 4'096;

  void log_to(Logger log) { log_ = std::move(log); }
  /// `ids`: of its message. Without memory it is not remembered.
  void add(std::uint64_t attempt, std::string_view service, const CallIds& ids) noexcept;
  /// An answer has come that nobody waits for. False: to none of these, or a second time.
  bool answered(std::uint64_t attempt, std::string_view node) noexcept;

 private:
  struct Entry {
    Text service, message_id, correlation_id, traceparent;
  };

  std::optional<Entry> take(std::uint64_t attempt) noexcept;

  Logger log_;
  RateLimit lines_{std::chrono::seconds(1)};
  Mutex mutex_;
  std::vector<std::uint64_t> attempts_ BUSBAR_GUARDED_BY(mutex_);  // by themselves, to be looked through; 0: answered
  std::vector<Entry> entries_ BUSBAR_GUARDED_BY(mutex_);           // of each of them
  std::size_t next_ BUSBAR_GUARDED_BY(mutex_) = 0;  // where the next one goes; the oldest is there once it is full
};

}  // namespace busbar::host
