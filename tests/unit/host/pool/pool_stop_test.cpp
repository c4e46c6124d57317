// How a pool ends.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "pool/pool.hpp"
#include "pool_testing.hpp"

namespace busbar::host {
namespace {

PoolOptions fixed(unsigned threads) {
  PoolOptions options;
  options.threads = threads;
  options.max_threads = threads;
  options.queue = 1000;
  options.grow_after = kHour;
  return options;
}

class PoolStopTest : public testing::Test {
 protected:
  Supervisor supervisor_;
};

TEST_F(PoolStopTest, EndsIdleThreadsAtOnce) {
  Pool pool(supervisor_, fixed(3));
  ASSERT_TRUE(eventually([&] { return pool.stats().idle == 3; }));
  const PoolStopped stopped = pool.stop(now_ns() + kHour);
  EXPECT_EQ(stopped.abandoned, 0U);
  EXPECT_EQ(stopped.dropped, 0U);
  EXPECT_EQ(stopped.finished, 0U);
  EXPECT_EQ(pool.stats().live, 0U);
}

TEST_F(PoolStopTest, RefusesTasksAfterwards) {
  Pool pool(supervisor_, fixed(1));
  pool.stop(now_ns() + kHour);
  FunctionTask task;
  EXPECT_EQ(pool.submit(task), Submitted::kStopped);
  EXPECT_FALSE(task.ended());
  EXPECT_EQ(pool.stop(now_ns() + kHour).abandoned, 0U) << "a second stop does nothing";
}

TEST_F(PoolStopTest, RunsWhatIsQueuedBeforeTheDeadline) {
  Pool pool(supervisor_, fixed(2));
  std::array<HeldTask, 2> held;
  for (HeldTask& task : held) ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
  for (HeldTask& task : held) task.wait_until_entered();
  std::array<FunctionTask, 50> queued;
  for (FunctionTask& task : queued) ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
  OnceStopping release(pool, [&] {
    for (HeldTask& task : held) task.let_go();
  });
  const PoolStopped stopped = pool.stop(now_ns() + kHour);
  EXPECT_GE(stopped.finished, 52U);
  EXPECT_EQ(stopped.dropped, 0U);
  EXPECT_EQ(stopped.abandoned, 0U);
  for (FunctionTask& task : queued) {
    EXPECT_TRUE(task.ended());
    EXPECT_FALSE(task.dropped());
  }
}

TEST_F(PoolStopTest, DropsWhatIsStillQueuedAtTheDeadlineAndLeavesARunningThreadBehind) {
  auto held = std::make_unique<HeldTask>();
  {
    Pool pool(supervisor_, fixed(2));
    ASSERT_EQ(pool.submit(*held), Submitted::kAccepted);
    held->wait_until_entered();
    HeldTask second;
    ASSERT_EQ(pool.submit(second), Submitted::kAccepted);
    second.wait_until_entered();
    std::array<FunctionTask, 5> queued;
    for (FunctionTask& task : queued) ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
    const PoolStopped stopped = pool.stop(now_ns() + kMillisecond);
    EXPECT_EQ(stopped.dropped, 5U);
    EXPECT_EQ(stopped.abandoned, 2U);
    for (FunctionTask& task : queued) {
      EXPECT_TRUE(task.ended());
      EXPECT_TRUE(task.dropped());
    }
    second.let_go();
    ASSERT_TRUE(second.wait());
  }
  // The pool is gone; its thread comes back from the task all the same, and tells whoever waits.
  held->let_go();
  EXPECT_TRUE(held->wait());
  EXPECT_FALSE(held->dropped());
}

TEST_F(PoolStopTest, AllowsNestedCallsWhileItRunsToItsEnd) {
  Pool pool(supervisor_, fixed(2));
  HeldTask outer;
  bool granted = false;
  FunctionTask after([&] {
    const BlockingScope scope;
    granted = bool(scope);
  });
  HeldTask other;
  ASSERT_EQ(pool.submit(outer), Submitted::kAccepted);
  ASSERT_EQ(pool.submit(other), Submitted::kAccepted);
  outer.wait_until_entered();
  other.wait_until_entered();
  ASSERT_EQ(pool.submit(after), Submitted::kAccepted);
  OnceStopping release(pool, [&] {
    outer.let_go();
    other.let_go();
  });
  EXPECT_EQ(pool.stop(now_ns() + kHour).abandoned, 0U);
  EXPECT_TRUE(granted);
}

TEST_F(PoolStopTest, RunsWhatIsQueuedWhenItIsDestroyed) {
  std::array<FunctionTask, 20> tasks;
  {
    Pool pool(supervisor_, fixed(1));
    for (FunctionTask& task : tasks) ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
  }
  for (FunctionTask& task : tasks) EXPECT_TRUE(task.ended());
}

// Whatever was accepted while the pool stopped has come to one end.
TEST_F(PoolStopTest, LosesNoTaskThatWasSubmittedMeanwhile) {
  struct OneEnd : Task {
    void run() noexcept override { ++runs; }
    void finish() noexcept override { ++ends; }
    void drop() noexcept override { ++ends; }
    std::atomic<int> runs{0};
    std::atomic<int> ends{0};
    bool accepted = false;
  };
  constexpr int kThreads = 3;
  constexpr int kTasks = 400;
  for (int round = 0; round < 30; ++round) {
    std::vector<std::vector<OneEnd>> tasks;
    for (int i = 0; i < kThreads; ++i) tasks.emplace_back(kTasks);
    std::atomic<int> submitted{0};
    Pool pool(supervisor_, fixed(2));
    std::vector<std::thread> submitters;
    for (int i = 0; i < kThreads; ++i) {
      submitters.emplace_back([&, i] {
        for (OneEnd& task : tasks[static_cast<std::size_t>(i)]) {
          task.accepted = pool.submit(task) == Submitted::kAccepted;
          ++submitted;
        }
      });
    }
    while (submitted < round * 20) std::this_thread::yield();
    pool.stop(round % 2 == 0 ? 0 : now_ns() + kHour);
    for (std::thread& submitter : submitters) submitter.join();
    for (const auto& list : tasks) {
      for (const OneEnd& task : list) {
        // A thread that was inside a task at a deadline of 0 ends it later.
        ASSERT_TRUE(eventually([&] { return task.ends != 0 || !task.accepted; }));
        ASSERT_EQ(task.ends, task.accepted ? 1 : 0);
        ASSERT_LE(task.runs, task.ends);
      }
    }
  }
}

}  // namespace
}  // namespace busbar::host
