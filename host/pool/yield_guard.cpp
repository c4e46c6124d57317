#include "pool/yield_guard.hpp"

#include <sched.h>

#include <algorithm>

namespace busbar::host {

namespace {

// For how many waits yielding is off. With fewer than 64 the slow ones would show among the slowest percent.
constexpr std::uint32_t kMinPenalty = 64;
constexpr std::uint32_t kMaxPenalty = 4096;
constexpr std::uint32_t kPenaltyGrowth = 8;  // with 2, some thousand calls meet twice as many slow yields

// How many quick yields halve the next penalty. A few prove nothing: beside a busy process too, a thread that has slept
// for long gets the processor back quickly for a while.
constexpr std::uint32_t kQuickYieldsToForgive = 1024;

}  // namespace

void YieldGuard::yield_now() noexcept { ::sched_yield(); }

bool YieldGuard::note(Nanos took) noexcept {
  const std::uint32_t penalty = penalty_.load(std::memory_order_relaxed);
  if (took > long_yield_) {
    const std::uint32_t next = std::clamp(penalty * kPenaltyGrowth, kMinPenalty, kMaxPenalty);
    penalty_.store(next, std::memory_order_relaxed);
    waits_off_.store(next, std::memory_order_relaxed);
    quick_yields_.store(0, std::memory_order_relaxed);
    return false;
  }
  if (penalty != 0) {
    const std::uint32_t quick = quick_yields_.load(std::memory_order_relaxed) + 1;
    quick_yields_.store(quick % kQuickYieldsToForgive, std::memory_order_relaxed);
    if (quick == kQuickYieldsToForgive) penalty_.store(penalty / 2, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace busbar::host
