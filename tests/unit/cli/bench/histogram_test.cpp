#include "cli/bench/histogram.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace busbar::cli {
namespace {

using std::chrono::nanoseconds;

TEST(BenchHistogram, IsEmptyAtFirst) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0U);
  EXPECT_EQ(none.least().count(), 0);
  EXPECT_EQ(none.mean().count(), 0);
  EXPECT_EQ(none.quantile(0.99).count(), 0);
  EXPECT_TRUE(none.rows().empty());
}

TEST(BenchHistogram, OneDurationIsExactWhateverItsLength) {
  for (const std::int64_t value : {0L, 1L, 255L, 256L, 999'999L, 1'234'567'891L, 86'400'000'000'000L}) {
    Histogram one;
    one.add(nanoseconds(value));
    EXPECT_EQ(one.quantile(0.5).count(), value);
    EXPECT_EQ(one.most().count(), value);
    EXPECT_EQ(one.mean().count(), value);
  }
}

// Against what sorting says, over nine powers of ten.
TEST(BenchHistogram, IsLessThanOnePercentTooLongAndNeverTooShort) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(0.0, 9.0);
  Histogram histogram;
  std::vector<std::int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    all.push_back(static_cast<std::int64_t>(std::pow(10.0, exponent(random)) * 100));
    histogram.add(nanoseconds(all.back()));
  }
  std::sort(all.begin(), all.end());
  for (const double part : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::max(std::ceil(part * 20'000) - 1, 0.0));
    const auto read = static_cast<double>(histogram.quantile(part).count());
    EXPECT_GE(read, static_cast<double>(all[rank])) << part;
    EXPECT_LE(read, static_cast<double>(all[rank]) * 1.01) << part;
  }
  EXPECT_EQ(histogram.least().count(), all.front());
  EXPECT_EQ(histogram.most().count(), all.back());
}

TEST(BenchHistogram, WhatIsTooLongCountsAsTheLongest) {
  Histogram histogram;
  histogram.add(std::chrono::hours(1000));
  histogram.add(nanoseconds(-5));  // a clock that is read in another order
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.most(), std::chrono::hours(1000));
  EXPECT_EQ(histogram.least().count(), 0);
}

TEST(BenchHistogram, RowsGoFromTheLeastToTheMostAndHoldAll) {
  Histogram histogram;
  for (const int us : {110, 150, 160, 2'100}) histogram.add(std::chrono::microseconds(us));
  std::vector<std::pair<std::int64_t, std::uint64_t>> rows;
  for (const auto& row : histogram.rows()) rows.emplace_back(row.up_to.count() / 1000, row.count);
  const std::vector<std::pair<std::int64_t, std::uint64_t>> expected = {
      {200, 3}, {500, 0}, {1'000, 0}, {2'000, 0}, {5'000, 1}};
  EXPECT_EQ(rows, expected);
}

}  // namespace
}  // namespace busbar::cli
