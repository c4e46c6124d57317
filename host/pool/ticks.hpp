// A counter that is cheaper to read than any clock, for asking "can that much time have passed at all?".
#pragma once

#include <algorithm>
#include <atomic>
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

/// How far `recent_ns` may be behind.
inline constexpr Nanos kRecent = kMillisecond;

namespace detail {
struct ClockReading {
  std::uint64_t at_ticks = 0;
  Nanos ns = 0;
};
inline const ClockReading first_reading{ticks(), now_ns()};
inline ClockReading& last_reading() noexcept {
  static thread_local constinit ClockReading reading;
  return reading;
}
}  // namespace detail

/// The time of this thread's last reading of the clock, made anew when `now` ticks are too far from it: never ahead,
/// and less than `kRecent` behind.
inline Nanos recent_ns(std::uint64_t now) noexcept {
  auto& last = detail::last_reading();
  if (now - last.at_ticks >= kTicksBelowAMillisecond) [[unlikely]]
    last = {now, now_ns()};
  return last.ns;
}

/// The length of a tick, taken from the time since the process began: a thread's own last reading may be none, or only
/// just made by a call within the one that is looked at. Reads the clock.
inline double nanos_per_tick() noexcept {
  const std::uint64_t now = ticks();
  return static_cast<double>(now_ns() - detail::first_reading.ns) /
         static_cast<double>(now - detail::first_reading.at_ticks);
}

/// How long ago `from` was. Worth it only after kTicksBelowAMillisecond.
inline Nanos since(std::uint64_t from) noexcept {
  const std::uint64_t now = ticks();
  return static_cast<Nanos>(static_cast<double>(now - from) * nanos_per_tick());
}

namespace detail {
/// What `nanos_per_tick` was when somebody last looked; 0: nobody has. Counters run evenly: it hardly changes.
inline std::atomic<double> known_nanos_per_tick{0};
inline double learn_nanos_per_tick() noexcept {
  const double length = nanos_per_tick();
  known_nanos_per_tick.store(length, std::memory_order_relaxed);
  return length;
}
}  // namespace detail

/// How long so many ticks are, without reading the clock; 0 also for a reading before `from`, as two processors' may
/// be.
inline Nanos counted_nanos(std::uint64_t from, std::uint64_t to) noexcept {
  if (to <= from) return 0;
  double length = detail::known_nanos_per_tick.load(std::memory_order_relaxed);
  if (length == 0) [[unlikely]]
    length = detail::learn_nanos_per_tick();
  return static_cast<Nanos>(static_cast<double>(to - from) * length);
}

/// From one reading to a later one; at least 1 ns, also where two processors' counters differ. Reads the clock.
inline Nanos nanos_between(std::uint64_t from, std::uint64_t to) noexcept {
  if (to <= from) return 1;
  return std::max<Nanos>(static_cast<Nanos>(static_cast<double>(to - from) * nanos_per_tick()), 1);
}

}  // namespace busbar::host
