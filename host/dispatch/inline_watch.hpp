// Holds inline services to their promise (C-D17) without blaming them for what others do.
#pragma once

#include <atomic>

#include "pool/clock.hpp"
#include "pool/ticks.hpp"

namespace busbar::host {

/// Counts an inline service's slow runs. A run of over 1 ms by the wall clock counts at once; but on a busy machine the
/// kernel may have taken the processor away meanwhile, and looking at that would cost each run more than the service
/// itself. So a slow run only puts the service under watch: the next runs are measured, a slow one counts if the thread
/// used the processor or chose to sleep, and when all went well, what had been counted is forgiven.
/// Threads: any.
class InlineRecord {
 public:
  /// A slow run that was not measured, or was confirmed. True when it was the third: the service must move to the pool.
  bool count() noexcept {
    watched_runs_.store(kWatchedRuns, std::memory_order_relaxed);
    return slow_runs_.fetch_add(1, std::memory_order_relaxed) + 1 >= kTooOften;
  }
  // Below zero when several threads' last watched runs ended at once.
  bool under_watch() const noexcept { return watched_runs_.load(std::memory_order_relaxed) > 0; }
  /// A measured run that kept the promise.
  void forgive() noexcept {
    if (watched_runs_.fetch_sub(1, std::memory_order_relaxed) != 1) return;
    slow_runs_.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr unsigned kTooOften = 3;
  static constexpr int kWatchedRuns = 100;
  std::atomic<unsigned> slow_runs_{0};
  std::atomic<int> watched_runs_{0};
};

inline constexpr Nanos kInlineLimit = kMillisecond;

/// One run of an inline service. Made when it begins. Threads: the one that runs it.
class InlineRun {
 public:
  /// It begins at `begun`, in ticks.
  InlineRun(InlineRecord& record, std::uint64_t begun) noexcept
      : record_(record), measured_(record.under_watch()), begun_(begun) {
    if (measured_) before_ = read();
  }
  /// After the run, at `now` in ticks: whether it may have been too long; if so, `took` and `broke_promise` tell.
  bool may_have_broken_promise(std::uint64_t now) const noexcept {
    return now - begun_ > kTicksBelowAMillisecond || measured_;
  }
  Nanos took() const noexcept { return since(begun_); }
  bool broke_promise(Nanos wall) noexcept;

 private:
  struct Usage {
    Nanos processor = 0;
    long sleeps = 0;
  };
  static Usage read() noexcept;

  InlineRecord& record_;
  const bool measured_;
  const std::uint64_t begun_;
  Usage before_;
};

}  // namespace busbar::host
