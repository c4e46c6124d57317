// The clock that every deadline inside a host is read from.
#pragma once

#include <time.h>

#include <cstdint>
#include <limits>

namespace busbar::host {

// A point in time on CLOCK_MONOTONIC, or a span of it. One plain number, because deadlines are kept in atomics and
// handed to the kernel as they are.
// Units: nanoseconds.
using Nanos = std::int64_t;

inline constexpr Nanos kMicrosecond = 1'000;
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;

// Later than every deadline: "no deadline", or "nothing is due".
inline constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

// The time now. About 27 ns: pass a reading on where it is already at hand.
// Threads: any.
inline Nanos now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanos>(now.tv_sec) * kSecond + now.tv_nsec;
}

}  // namespace busbar::host
