#include "log/rate_limit.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace busbar::host {
namespace {

using std::chrono::seconds;

constexpr RateLimit::Clock::time_point at(int second) { return RateLimit::Clock::time_point(seconds(second)); }

TEST(RateLimit, LetsTheFirstThroughAndThenOneAnIntervalWithTheCountOfTheOthers) {
  RateLimit limit(seconds(10));
  EXPECT_TRUE(limit.ask("greet", at(0)));
  EXPECT_FALSE(limit.ask("greet", at(1)));
  EXPECT_FALSE(limit.ask("greet", at(9)));
  const auto verdict = limit.ask("greet", at(10));
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.suppressed, 2U);
  EXPECT_FALSE(limit.ask("greet", at(19)));
  EXPECT_EQ(limit.ask("greet", at(100)).suppressed, 1U);
}

TEST(RateLimit, CountsEachKeyForItself) {
  RateLimit limit(seconds(10));
  EXPECT_TRUE(limit.ask("a", at(0)));
  EXPECT_TRUE(limit.ask("b", at(0)));
  EXPECT_FALSE(limit.ask("a", at(1)));
}

TEST(RateLimit, TreatsKeysBeyondItsMaximumAsOne) {
  RateLimit limit(seconds(10), 2);
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) allowed += limit.ask("made_up_" + std::to_string(i), at(1)) ? 1 : 0;
  EXPECT_EQ(allowed, 3);
}

TEST(RateLimit, ForgetsIdleKeysButNotWhatTheyHeldBack) {
  RateLimit limit(seconds(10), 1);
  EXPECT_TRUE(limit.ask("old", at(0)));
  EXPECT_FALSE(limit.ask("old", at(1)));
  EXPECT_TRUE(limit.ask("new", at(20))) << "takes the place of the idle one";
  EXPECT_FALSE(limit.ask("new", at(21))) << "is remembered as itself";
  const auto other = limit.ask("other", at(22));
  EXPECT_TRUE(other.allowed);
  EXPECT_EQ(other.suppressed, 1U) << "that of the forgotten one";
}

TEST(RateLimit, LosesNoCountBetweenThreads) {
  RateLimit limit(seconds(10));
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) allowed += limit.ask("greet", at(1)) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(allowed, 1);
  EXPECT_EQ(limit.ask("greet", at(11)).suppressed, 3999U);
}

}  // namespace
}  // namespace busbar::host
