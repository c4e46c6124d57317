#include "pool/waiter.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "pool_testing.hpp"

namespace busbar::host {
namespace {

TEST(WaiterTest, ReturnsAtOnceWhenItIsComplete) {
  YieldGuard guard;
  Waiter waiter;
  EXPECT_FALSE(waiter.done());
  waiter.complete();
  EXPECT_TRUE(waiter.done());
  EXPECT_TRUE(waiter.wait_until(0, guard));
}

TEST(WaiterTest, GivesUpAtItsDeadline) {
  YieldGuard guard;
  Waiter waiter;
  const Nanos deadline = now_ns() + 2 * kMillisecond;
  EXPECT_FALSE(waiter.wait_until(deadline, guard));
  EXPECT_GE(now_ns(), deadline);
  EXPECT_FALSE(waiter.wait_until(0, guard)) << "a deadline that has passed";
  EXPECT_FALSE(waiter.wait_until(-5, guard)) << "one before the clock began";
}

TEST(WaiterTest, CanBeCompletedAfterItsWaitHasGivenUp) {
  YieldGuard guard;
  Waiter waiter;
  EXPECT_FALSE(waiter.wait_until(now_ns() + kMillisecond, guard, 0));
  waiter.complete();
  EXPECT_TRUE(waiter.done());
  EXPECT_TRUE(waiter.wait_until(0, guard));
}

TEST(WaiterTest, CanBeUsedAgainAfterAReset) {
  YieldGuard guard;
  Waiter waiter;
  waiter.complete();
  waiter.reset();
  EXPECT_FALSE(waiter.done());
  EXPECT_FALSE(waiter.wait_until(now_ns() + kMillisecond, guard));
}

// More sleepers than are remembered.
TEST(WakeLaterTest, WakesEveryoneAtItsEnd) {
  constexpr std::size_t kSleepers = 100;
  std::vector<Waiter> waiters(kSleepers);
  std::atomic<std::size_t> woken{0};
  std::vector<std::jthread> threads;
  for (Waiter& waiter : waiters) {
    threads.emplace_back([&] { woken += waiter.wait_asleep(far_future()); });
  }
  {
    const WakeLater outer;
    const WakeLater inner;
    for (Waiter& waiter : waiters) waiter.complete();
  }
  threads.clear();
  EXPECT_EQ(woken, kSleepers);
}

TEST(WakeLaterTest, WhoThenWaitsItselfWakesTheOthersFirst) {
  for (int i = 0; i < 200; ++i) {
    Waiter there, back;
    std::jthread other([&] {
      if (there.wait_asleep(far_future())) back.complete();
    });
    const WakeLater later;
    there.complete();
    ASSERT_TRUE(back.wait_asleep(far_future())) << i;
  }
}

// Two threads wake each other in turn, asleep or not, and see what the other wrote.
TEST(WaiterTest, LosesNoWakeUp) {
  constexpr int kTurns = 20'000;
  YieldGuard guard;
  Waiter there;
  Waiter back;
  int written = 0;
  std::thread other([&] {
    for (int i = 0; i < kTurns; ++i) {
      if (!there.wait_until(far_future(), guard, i % 3 == 0 ? 0 : 16)) return;
      there.reset();
      ++written;
      back.complete();
    }
  });
  int i = 0;
  for (; i < kTurns; ++i) {
    there.complete();
    if (!back.wait_until(far_future(), guard, i % 5 == 0 ? 16 : 0)) break;
    back.reset();
    if (written != i + 1) break;
  }
  EXPECT_EQ(i, kTurns);
  other.join();
}

// For the address sanitizer: complete() touches nothing after the waiting thread may go on.
TEST(WaiterTest, MayBeDestroyedAsSoonAsItIsComplete) {
  YieldGuard guard;
  for (int i = 0; i < 300; ++i) {
    auto waiter = std::make_unique<Waiter>();
    std::thread other([raw = waiter.get()] { raw->complete(); });
    EXPECT_TRUE(waiter->wait_until(far_future(), guard, i % 2 == 0 ? 0 : 16));
    waiter.reset();
    other.join();
  }
}

}  // namespace
}  // namespace busbar::host
