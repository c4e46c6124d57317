// Many durations in little memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace busbar::cli {

/// Counts durations in buckets whose width grows with them: up to 255 ns they are exact, from there on a bucket is at
/// most 1/128 of its durations wide, so that what is read from it is less than 1 % too long, and never too short. 42
/// KiB, for durations of up to 39 hours; longer ones count as that long. Threads: one at a time.
class Histogram {
 public:
  using Duration = std::chrono::nanoseconds;

  Histogram();

  void add(Duration duration, std::uint64_t count = 1);

  std::uint64_t count() const noexcept { return count_; }
  /// Exact ones; 0 where there is none.
  Duration least() const noexcept { return count_ == 0 ? Duration(0) : least_; }
  Duration most() const noexcept { return most_; }
  Duration mean() const noexcept;
  /// What a part (0 … 1) of the durations does not exceed. 0 where there is none.
  Duration quantile(double part) const;

  struct Row {
    Duration up_to;
    std::uint64_t count;
  };
  /// Few rows for people: from the least to the most, with bounds of 1, 2 and 5 times powers of ten. Rows between may
  /// be empty.
  std::vector<Row> rows() const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
  Duration least_ = Duration::max();
  Duration most_{0};
};

}  // namespace busbar::cli
