#include "stats/duration_histogram.hpp"

#include <numeric>

namespace busbar::host {

std::uint64_t DurationCounts::total() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

DurationCounts& DurationCounts::operator+=(const DurationCounts& other) noexcept {
  for (std::size_t i = 0; i < kDurationCounts; ++i) counts[i] += other.counts[i];
  sum += other.sum;
  return *this;
}

Nanos DurationCounts::quantile(double part) const noexcept {
  const double wanted = part * static_cast<double>(total());
  double below = 0;
  for (std::size_t i = 0; i < kDurationCounts; ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here == 0 || below + here < wanted) {
      below += here;
      continue;
    }
    const Nanos least = i == 0 ? 0 : kDurationSteps[i - 1];
    if (i == kDurationSteps.size()) return least;
    return least + static_cast<Nanos>((wanted - below) / here * static_cast<double>(kDurationSteps[i] - least));
  }
  return 0;
}

void DurationHistogram::read_into(DurationCounts& counts) const noexcept {
  for (std::size_t i = 0; i < kDurationCounts; ++i) counts.counts[i] += counts_[i].load(std::memory_order_relaxed);
  counts.sum += sum_.load(std::memory_order_relaxed);
}

}  // namespace busbar::host
