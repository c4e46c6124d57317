// The caller's side of a call: where it waits until the answer is there.
#pragma once

#include "pool/futex.hpp"
#include "pool/yield_guard.hpp"

namespace busbar::host {

// A latch for one waiting thread and one that completes; can be used again after reset().
// Ownership: whoever waits. It may destroy the waiter as soon as wait_until() has returned true or done() holds.
// Threads: one waits, any one completes, once per reset.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Waits until complete() was called or the deadline has come. Returns whether it was called: everything that was
  // written before it is visible then. `yields`: how often to yield before sleeping; 0 where many calls are under way.
  bool wait_until(Nanos deadline, YieldGuard& guard, unsigned yields = YieldGuard::kYields) noexcept;

  // The two halves of it, for who has something to do between them.
  bool wait_awake(YieldGuard& guard, unsigned yields = YieldGuard::kYields) noexcept {
    return guard.yield_until([this] { return word_.load(std::memory_order_acquire) >= kDone; }, yields) && done();
  }
  bool wait_asleep(Nanos deadline) noexcept;

  // Lets the waiting thread go on. The exchange is the last access to this object.
  void complete() noexcept {
    if (word_.exchange(kDone, std::memory_order_acq_rel) == kSleeping) futex_wake_one(word_);
  }

  // Has the waiting thread look around without being done: wait_asleep() returns false, and so do later ones until
  // clear_ring(). Nothing happens where it is done. Returns the word to wake (futex_wake_one), or null where nobody
  // sleeps: it is woken after the caller has let go of its lock, which the woken thread may want.
  const FutexWord* ring() noexcept;
  // By the waiting thread, while it does not wait. Returns whether it was rung.
  bool clear_ring() noexcept {
    std::uint32_t seen = kRung;
    return word_.compare_exchange_strong(seen, kPending, std::memory_order_acq_rel);
  }

  bool done() const noexcept { return word_.load(std::memory_order_acquire) == kDone; }

  // Makes it pending again. Nobody may wait or complete at the same time.
  void reset() noexcept { word_.store(kPending, std::memory_order_relaxed); }

 private:
  // The word itself says whether somebody sleeps: a flag beside it would lose wake-ups.
  static constexpr std::uint32_t kPending = 0;
  static constexpr std::uint32_t kSleeping = 1;
  static constexpr std::uint32_t kDone = 2;
  static constexpr std::uint32_t kRung = 3;

  FutexWord word_{kPending};
};

}  // namespace busbar::host
