#include "pool/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace busbar::host {

static_assert(sizeof(FutexWord) == 4 && FutexWord::is_always_lock_free, "the kernel looks at the word itself");

void futex_wait(const FutexWord& word, std::uint32_t expected, Nanos deadline) noexcept {
  timespec until{};
  if (deadline != kNever) {
    if (deadline < 0) return;
    until.tv_sec = static_cast<time_t>(deadline / kSecond);
    until.tv_nsec = static_cast<long>(deadline % kSecond);
  }
  // The bitset form takes an absolute time, on CLOCK_MONOTONIC; the plain one would take a duration.
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline == kNever ? nullptr : &until, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

void futex_wake_one(const FutexWord& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace busbar::host
