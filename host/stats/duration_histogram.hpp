// How often something took how long, in steps that grow with it.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "pool/clock.hpp"

namespace busbar::host {

/// The steps: 1, 2, 5, 10 … of a microsecond up to a minute. A duration belongs to the first step that it does not
/// exceed, or to the last, which has no end. Alike everywhere, so that those of several nodes can be added.
inline constexpr std::array<Nanos, 25> kDurationSteps = {
    1'000,          2'000,          5'000,          10'000,        20'000,        50'000,        100'000,
    200'000,        500'000,        1'000'000,      2'000'000,     5'000'000,     10'000'000,    20'000'000,
    50'000'000,     100'000'000,    200'000'000,    500'000'000,   1'000'000'000, 2'000'000'000, 5'000'000'000,
    10'000'000'000, 20'000'000'000, 30'000'000'000, 60'000'000'000};
inline constexpr std::size_t kDurationCounts = kDurationSteps.size() + 1;

/// What a histogram held at one moment. A plain value.
struct DurationCounts {
  std::array<std::uint64_t, kDurationCounts> counts{};  ///< of each step alone
  Nanos sum = 0;

  std::uint64_t total() const noexcept;
  DurationCounts& operator+=(const DurationCounts& other) noexcept;
  /// The duration below which that part of them lies (0.5, 0.99), as if those of a step were spread evenly over it; 0:
  /// there are none. Nanoseconds; of the last step its lower end.
  Nanos quantile(double part) const noexcept;
};

namespace detail {

/// By how many bits a duration has: the first step that it can belong to.
constexpr std::array<std::uint8_t, 65> first_steps() noexcept {
  std::array<std::uint8_t, 65> first{};
  for (unsigned bits = 0; bits < first.size(); ++bits) {
    const std::uint64_t least = bits == 0 ? 0 : std::uint64_t{1} << (bits - 1);
    std::uint8_t step = 0;
    while (step < kDurationSteps.size() && static_cast<std::uint64_t>(kDurationSteps[step]) < least) ++step;
    first[bits] = step;
  }
  return first;
}
inline constexpr auto kFirstSteps = first_steps();

/// Which step; a duration below 0 counts as 0.
inline std::size_t step_of(Nanos duration) noexcept {
  if (duration < 0) duration = 0;
  std::size_t step = kFirstSteps[std::bit_width(static_cast<std::uint64_t>(duration))];
  while (step < kDurationSteps.size() && kDurationSteps[step] < duration) ++step;
  return step;
}

}  // namespace detail

/// Threads: any adds, any reads; a reader may see a duration's count before its part of the sum.
class DurationHistogram {
 public:
  void add(Nanos duration) noexcept {
    counts_[detail::step_of(duration)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(duration < 0 ? 0 : duration, std::memory_order_relaxed);
  }
  void read_into(DurationCounts& counts) const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, kDurationCounts> counts_{};
  std::atomic<Nanos> sum_{0};
};

}  // namespace busbar::host
