#include "bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace busbar::cli {

namespace {

// A duration below 2 * kSteps has a bucket of its own; each power of two above has kSteps of them.
constexpr unsigned kStepBits = 7;
constexpr std::uint64_t kSteps = std::uint64_t{1} << kStepBits;
constexpr unsigned kBits = 47;
constexpr std::uint64_t kLongest = (std::uint64_t{1} << kBits) - 1;
constexpr std::size_t kBuckets = (kBits - kStepBits) * kSteps + kSteps;

std::size_t bucket_of(std::uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = width > kStepBits + 1 ? width - kStepBits - 1 : 0;
  return static_cast<std::size_t>(shift * kSteps + (value >> shift));
}

/// The longest duration that belongs into it.
std::uint64_t end_of(std::size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const std::uint64_t shift = bucket / kSteps - 1;
  return ((bucket - shift * kSteps + 1) << shift) - 1;
}

/// The next of 1, 2, 5, 10, 20, 50, …
std::uint64_t next_bound(std::uint64_t bound) {
  std::uint64_t power = 1;
  while (bound / power >= 10) power *= 10;
  return power * (bound / power == 2 ? 5 : bound / power * 2);
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets, 0) {}

void Histogram::add(Duration duration, std::uint64_t count) {
  if (count == 0) return;
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  buckets_[bucket_of(std::min(value, kLongest))] += count;
  count_ += count;
  sum_ns_ += static_cast<double>(value) * static_cast<double>(count);
  least_ = std::min(least_, Duration(value));
  most_ = std::max(most_, Duration(value));
}

Histogram::Duration Histogram::mean() const noexcept {
  return Duration(count_ == 0 ? 0 : std::llround(sum_ns_ / static_cast<double>(count_)));
}

Histogram::Duration Histogram::quantile(double part) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= std::max<std::uint64_t>(wanted, 1)) return std::clamp(Duration(end_of(i)), least(), most_);
  }
  return most_;
}

std::vector<Histogram::Row> Histogram::rows() const {
  std::vector<Row> out;
  std::uint64_t bound = 1;
  std::uint64_t in_row = 0;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size() && seen < count_; ++i) {
    while (end_of(i) > bound) {
      if (seen != 0) out.push_back({Duration(bound), in_row});
      in_row = 0;
      bound = next_bound(bound);
    }
    in_row += buckets_[i];
    seen += buckets_[i];
  }
  if (in_row != 0) out.push_back({Duration(bound), in_row});
  return out;
}

}  // namespace busbar::cli
