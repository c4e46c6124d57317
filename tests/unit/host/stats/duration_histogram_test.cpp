#include "stats/duration_histogram.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace busbar::host {
namespace {

DurationCounts counted(std::initializer_list<Nanos> durations) {
  DurationHistogram histogram;
  for (const Nanos duration : durations) histogram.add(duration);
  DurationCounts counts;
  histogram.read_into(counts);
  return counts;
}

TEST(DurationHistogram, EachDurationBelongsToTheFirstStepThatItDoesNotExceed) {
  for (std::size_t i = 0; i < kDurationSteps.size(); ++i) {
    const Nanos least = i == 0 ? 0 : kDurationSteps[i - 1] + 1;
    for (const Nanos duration : {least, kDurationSteps[i]}) {
      const DurationCounts counts = counted({duration});
      EXPECT_EQ(counts.counts[i], 1U) << duration;
      EXPECT_EQ(counts.total(), 1U);
      EXPECT_EQ(counts.sum, duration);
    }
  }
}

TEST(DurationHistogram, WhatExceedsAllStepsBelongsToTheLast) {
  for (const Nanos duration : {kDurationSteps.back() + 1, std::numeric_limits<Nanos>::max()}) {
    EXPECT_EQ(counted({duration}).counts.back(), 1U) << duration;
  }
}

TEST(DurationHistogram, ADurationBelowZeroCountsAsNone) {
  const DurationCounts counts = counted({-1, std::numeric_limits<Nanos>::min()});
  EXPECT_EQ(counts.counts.front(), 2U);
  EXPECT_EQ(counts.sum, 0);
}

TEST(DurationHistogram, QuantilesLieWithinTheirStep) {
  EXPECT_EQ(DurationCounts{}.quantile(0.5), 0);
  DurationHistogram histogram;
  for (int i = 0; i < 98; ++i) histogram.add(15 * kMicrosecond);
  for (int i = 0; i < 2; ++i) histogram.add(150 * kMillisecond);
  DurationCounts counts;
  histogram.read_into(counts);
  EXPECT_GT(counts.quantile(0.5), 10 * kMicrosecond);
  EXPECT_LE(counts.quantile(0.5), 20 * kMicrosecond);
  EXPECT_GT(counts.quantile(0.99), 100 * kMillisecond);
  EXPECT_LE(counts.quantile(0.99), 200 * kMillisecond);
  EXPECT_EQ(counted({kDurationSteps.back() * 2}).quantile(0.5), kDurationSteps.back());
}

TEST(DurationHistogram, ThoseOfSeveralCanBeAdded) {
  DurationCounts both = counted({kMicrosecond, kSecond});
  both += counted({kSecond});
  EXPECT_EQ(both.total(), 3U);
  EXPECT_EQ(both.sum, kMicrosecond + 2 * kSecond);
}

}  // namespace
}  // namespace busbar::host
