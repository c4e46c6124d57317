#include "pool/waiter.hpp"

namespace busbar::host {

bool Waiter::wait_until(Nanos deadline, YieldGuard& guard, unsigned yields) noexcept {
  return wait_awake(guard, yields) || wait_asleep(deadline);
}

bool Waiter::wait_asleep(Nanos deadline) noexcept {
  std::uint32_t seen = kPending;
  if (!word_.compare_exchange_strong(seen, kSleeping, std::memory_order_acquire)) return true;
  for (;;) {
    futex_wait(word_, kSleeping, deadline);
    if (done()) return true;
    if (deadline != kNever && now_ns() >= deadline) break;
  }
  // Back to pending, so that a later complete() makes no system call for nobody; unless it was quicker.
  seen = kSleeping;
  return !word_.compare_exchange_strong(seen, kPending, std::memory_order_acquire);
}

}  // namespace busbar::host
