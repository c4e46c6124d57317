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

}  // namespace busbar::host
