#include "pool/supervisor.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "pool_testing.hpp"

namespace busbar::host {
namespace {

TEST(SupervisorTest, CallsADutyAtOnceWhenItIsAdded) {
  std::atomic<int> calls{0};
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos) {
    ++calls;
    return kNever;
  });
  EXPECT_TRUE(eventually([&] { return calls >= 1; }));
}

TEST(SupervisorTest, CallsADutyAgainWhenItAsksForIt) {
  std::atomic<int> calls{0};
  std::atomic<int> early{0};
  Nanos due = 0;
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos now) {
    if (now < due) ++early;
    due = now + kMillisecond;
    return ++calls < 5 ? due : kNever;
  });
  EXPECT_TRUE(eventually([&] { return calls == 5; }));
  EXPECT_EQ(early, 0) << "nobody else has asked for an earlier time";
}

TEST(SupervisorTest, WakesUpEarlierWhenAsked) {
  std::atomic<int> calls{0};
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos now) {
    ++calls;
    return now + kHour;
  });
  ASSERT_TRUE(eventually([&] { return calls == 1; }));
  supervisor.wake_at(now_ns());
  EXPECT_TRUE(eventually([&] { return calls == 2; }));
}

TEST(SupervisorTest, DoesNotWakeUpLaterBecauseItIsAskedForALaterTime) {
  std::atomic<int> calls{0};
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos now) { return ++calls < 2 ? now + 2 * kMillisecond : kNever; });
  ASSERT_TRUE(eventually([&] { return calls >= 1; }));
  supervisor.wake_at(now_ns() + kHour);
  EXPECT_TRUE(eventually([&] { return calls == 2; }));
}

TEST(SupervisorTest, CallsEveryDutyAtTheEarliestTimeAskedFor) {
  std::atomic<int> quick{0};
  std::atomic<int> slow{0};
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos now) {
    ++slow;
    return now + kHour;
  });
  supervisor.add_duty([&](Nanos now) { return ++quick < 5 ? now + kMillisecond : kNever; });
  EXPECT_TRUE(eventually([&] { return quick == 5; }));
  EXPECT_GE(slow, 5);
}

TEST(SupervisorTest, KeepsAWakeUpThatWasAskedForWhileDutiesRun) {
  std::atomic<int> calls{0};
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos now) {
    if (++calls < 10) supervisor.wake_at(now);
    return kNever;
  });
  EXPECT_TRUE(eventually([&] { return calls == 10; }));
}

// Deadlines are written into slots beside the supervisor, as the dispatcher does: each must be seen, whatever the
// thread is doing at that moment. With nothing else planned a lost one would never be.
TEST(SupervisorTest, LosesNoWakeUp) {
  constexpr int kThreads = 3;
  constexpr int kDeadlines = 5000;
  std::array<std::atomic<bool>, kThreads> slots{};
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos) {
    for (std::atomic<bool>& slot : slots) slot.store(false, std::memory_order_relaxed);
    return kNever;
  });
  std::atomic<int> lost{0};
  std::vector<std::thread> threads;
  for (std::atomic<bool>& slot : slots) {
    threads.emplace_back([&] {
      for (int i = 0; i < kDeadlines && lost == 0; ++i) {
        slot.store(true, std::memory_order_relaxed);
        supervisor.wake_at(now_ns() + (i % 4) * 10 * kMicrosecond);
        if (!eventually([&] { return !slot.load(std::memory_order_relaxed); })) ++lost;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lost, 0);
}

TEST(SupervisorTest, CallsNoDutyAfterItHasStopped) {
  int calls = 0;  // no atomic: after stop() there is nobody else
  Supervisor supervisor;
  supervisor.add_duty([&](Nanos now) {
    ++calls;
    return now;
  });
  supervisor.stop();
  const int at_stop = calls;
  supervisor.wake_at(0);
  supervisor.stop();
  EXPECT_EQ(calls, at_stop);
}

}  // namespace
}  // namespace busbar::host
