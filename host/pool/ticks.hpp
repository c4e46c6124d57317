// A counter that is cheaper to read than any clock, for asking "can that much time have passed at all?".
#pragma once

#include <cstdint>

#include "pool/clock.hpp"

namespace busbar::host {

/// Reads the processor's time-stamp counter where there is one (about 7 ns against the clock's 21).
/// Threads: any; on the machines that we know it runs evenly and alike on all processors, and where it does not, a
/// wrong answer costs a reading of the clock or misses one slow run.
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<std::uint64_t>(now_ns());
#endif
}

/// Fewer ticks than pass in a millisecond on any processor: 500,000 at the slowest counter of 0.5 GHz.
inline constexpr std::uint64_t kTicksBelowAMillisecond = 500'000;

}  // namespace busbar::host
