#include "pool/waiter.hpp"

namespace busbar::host {

bool Waiter::wait_until(Nanos deadline, YieldGuard& guard, unsigned yields) noexcept {
  return wait_awake(guard, yields) || wait_asleep(deadline);
}

bool Waiter::wait_asleep(Nanos deadline) noexcept {
  std::uint32_t seen = kPending;
  if (!word_.compare_exchange_strong(seen, kSleeping, std::memory_order_acquire)) return seen == kDone;
  for (;;) {
    futex_wait(word_, kSleeping, deadline);
    seen = word_.load(std::memory_order_acquire);
    if (seen != kSleeping) return seen == kDone;
    if (deadline != kNever && now_ns() >= deadline) break;
  }
  // Back to pending, so that a later complete() makes no system call for nobody; unless it was quicker.
  if (word_.compare_exchange_strong(seen, kPending, std::memory_order_acquire)) return false;
  return seen == kDone;
}

const FutexWord* Waiter::ring() noexcept {
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  do {
    if (seen != kPending && seen != kSleeping) return nullptr;
  } while (!word_.compare_exchange_weak(seen, kRung, std::memory_order_acq_rel, std::memory_order_relaxed));
  return seen == kSleeping ? &word_ : nullptr;
}

}  // namespace busbar::host
