#include "pool/yield_guard.hpp"

#include <gtest/gtest.h>

namespace busbar::host {
namespace {

constexpr Nanos kQuick = 2 * kMicrosecond;
constexpr Nanos kSlow = 4 * kMillisecond;

int waits_until_it_may_yield(YieldGuard& guard) {
  int waits = 0;
  while (!guard.may_yield()) ++waits;
  return waits;
}

TEST(YieldGuardTest, YieldsUntilItIsReady) {
  int looks = 0;
  for (bool ready = false; !ready;) {
    YieldGuard guard;
    looks = 0;
    ready = guard.yield_until([&] { return ++looks == 4; }, 1000);
    // These yields are real: another process may have made one slow, and then giving up is right.
    ASSERT_TRUE(ready || !guard.may_yield()) << "gave up although no yield was slow";
  }
  EXPECT_EQ(looks, 4);
}

TEST(YieldGuardTest, GivesUpAfterItsLimit) {
  YieldGuard guard;
  int looks = 0;
  EXPECT_FALSE(guard.yield_until([&] { return ++looks < 0; }, 0));
  EXPECT_EQ(looks, 1);
}

TEST(YieldGuardTest, StopsYieldingAfterASlowYield) {
  YieldGuard guard;
  EXPECT_TRUE(guard.note(kQuick));
  EXPECT_TRUE(guard.may_yield());
  EXPECT_FALSE(guard.note(kSlow));
  EXPECT_FALSE(guard.yield_until([] { return false; }));
  EXPECT_TRUE(guard.yield_until([] { return true; })) << "what is ready needs no yield";
  EXPECT_EQ(waits_until_it_may_yield(guard), 63);
}

TEST(YieldGuardTest, StopsForLongerEachTimeUpToALimit) {
  YieldGuard guard;
  for (const int expected : {64, 512, 4096, 4096}) {
    guard.note(kSlow);
    EXPECT_EQ(waits_until_it_may_yield(guard), expected);
  }
}

TEST(YieldGuardTest, ForgivesAfterManyQuickYields) {
  YieldGuard guard;
  for (int i = 0; i < 4; ++i) guard.note(kSlow);
  waits_until_it_may_yield(guard);
  for (int i = 0; i < 100'000; ++i) guard.note(kQuick);
  guard.note(kSlow);
  EXPECT_EQ(waits_until_it_may_yield(guard), 64);
}

}  // namespace
}  // namespace busbar::host
