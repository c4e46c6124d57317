// Wakes a thread that sleeps in poll().
#pragma once

#include <atomic>
#include <cstdint>

#include "pool/clock.hpp"

struct pollfd;

namespace busbar::host {

// A bell for one thread at a time: it says what it is about to do, and who rings makes a system call only if it sleeps.
// The thread: hush(), look for work, sleep(). Others: publish the work, ring().
// Threads: ring from any; the rest by the one that sleeps.
class Bell {
 public:
  // Errors: std::system_error where there is no descriptor left.
  Bell();
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  // Has the thread look for work again.
  void ring() noexcept;

  // Takes back what was rung: everything that was published before is seen by the thread from here on.
  void hush() noexcept { state_.exchange(kAwake, std::memory_order_acq_rel); }
  bool rung() const noexcept { return state_.load(std::memory_order_relaxed) == kRung; }

  // Waits until one of `others` has something, the bell was rung since hush(), or the deadline has come. The
  // descriptors are looked at in any case. others[0] is this bell's.
  void sleep(pollfd* descriptors, std::size_t count, Nanos deadline) noexcept;

 private:
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kSleeping = 1;
  static constexpr std::uint32_t kRung = 2;

  const int descriptor_;
  std::atomic<std::uint32_t> state_{kAwake};
};

}  // namespace busbar::host
