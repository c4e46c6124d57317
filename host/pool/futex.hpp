// Sleeping on a 32-bit word, and waking whoever sleeps there.
#pragma once

#include <atomic>
#include <cstdint>

#include "pool/clock.hpp"

namespace busbar::host {

using FutexWord = std::atomic<std::uint32_t>;

// Sleeps while `word` holds `expected`, until it is woken or the deadline has come. May also return for no reason:
// callers look at the word again.
// Threads: any.
void futex_wait(const FutexWord& word, std::uint32_t expected, Nanos deadline = kNever) noexcept;

// Wakes one thread that sleeps on `word`, if there is one.
// Only the address is used: the word may be gone by now, which at worst wakes a stranger for nothing. A waker therefore
// touches what it wakes for the last time when it writes the word.
// Threads: any.
void futex_wake_one(const FutexWord& word) noexcept;

// While it lives, what this thread wakes is woken at its end, and each sleeper once: who completes many at a time is
// not held up by a system call for each, and who is woken finds more than the first. For short stretches; a futex_wait
// within wakes them first.
// Threads: ends on the thread on which it began. May be nested: the outermost counts.
class WakeLater {
 public:
  WakeLater() noexcept;
  ~WakeLater();
  WakeLater(const WakeLater&) = delete;
  WakeLater& operator=(const WakeLater&) = delete;
};

}  // namespace busbar::host
