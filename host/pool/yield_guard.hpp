// Yielding the processor before sleeping, and giving it up where that does harm.
#pragma once

#include <atomic>
#include <cstdint>

#include "pool/clock.hpp"

namespace busbar::host {

// Decides whether a wait may begin with sched_yield().
// A yield is the cheapest way to hand the processor to the thread that one waits for, and a few of them spare a pair
// of futex calls. Beside a busy process it is the dearest: the kernel lets that process run for its whole slice, some
// milliseconds. So a yield that took long switches yielding off for a number of waits, and for more each time it
// happens again.
// Threads: any; what it holds are hints, and a lost update does no harm.
class YieldGuard {
 public:
  static constexpr unsigned kYields = 16;

  // A yield to a thread that answers one call comes back within tens of microseconds; one to a busy process lasts its
  // slice, some milliseconds.
  static constexpr Nanos kLongYield = 300 * kMicrosecond;

  explicit YieldGuard(Nanos long_yield = kLongYield) noexcept : long_yield_(long_yield) {}

  // Asked once at the beginning of each wait: may this one yield?
  bool may_yield() noexcept {
    const std::uint32_t left = waits_off_.load(std::memory_order_relaxed);
    if (left == 0) return true;
    waits_off_.store(left - 1, std::memory_order_relaxed);
    return false;
  }

  // Yields until `ready()` holds, at most `limit` times, if yielding is on.
  // Returns whether it holds; if not, the wait goes on in the kernel.
  template <class Ready>
  bool yield_until(Ready&& ready, unsigned limit = kYields) noexcept {
    if (ready()) return true;
    if (!may_yield()) return false;
    Nanos before = now_ns();
    for (unsigned i = 0; i < limit; ++i) {
      yield_now();
      const Nanos after = now_ns();
      const bool quick = note(after - before);
      if (ready()) return true;
      if (!quick) return false;
      before = after;
    }
    return false;
  }

  // Takes note of how long a yield took; returns whether that was short enough to go on.
  bool note(Nanos took) noexcept;

 private:
  static void yield_now() noexcept;

  const Nanos long_yield_;
  std::atomic<std::uint32_t> waits_off_{0};     // how many waits still do without
  std::atomic<std::uint32_t> penalty_{0};       // how many the last slow yield has cost; 0: there was none
  std::atomic<std::uint32_t> quick_yields_{0};  // since then
};

}  // namespace busbar::host
