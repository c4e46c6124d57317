#include "pool/task_ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "pool_testing.hpp"

namespace busbar::host {
namespace {

TEST(TaskRingTest, HoldsExactlyAsManyAsItMayInTheOrderTheyCame) {
  for (const std::size_t limit : {1U, 3U, 4U}) {
    TaskRing ring(limit);
    std::vector<FunctionTask> tasks(limit);
    FunctionTask extra;
    for (int round = 0; round < 10; ++round) {
      EXPECT_EQ(ring.pop(), nullptr);
      EXPECT_FALSE(ring.ready());
      for (FunctionTask& task : tasks) EXPECT_EQ(ring.push(task, 0), TaskRing::Pushed::kDone);
      EXPECT_EQ(ring.push(extra, 0), TaskRing::Pushed::kFull);
      EXPECT_EQ(ring.size(), limit);
      EXPECT_TRUE(ring.ready());
      for (FunctionTask& task : tasks) EXPECT_EQ(ring.pop(), &task);
    }
  }
}

TEST(TaskRingTest, KnowsSinceWhenTheOldestWaits) {
  TaskRing ring(4);
  EXPECT_EQ(ring.oldest_since(), kNever);
  std::array<FunctionTask, 2> tasks;
  ring.push(tasks[0], 100);
  ring.push(tasks[1], 200);
  EXPECT_EQ(ring.oldest_since(), 100);
  ring.pop();
  EXPECT_EQ(ring.oldest_since(), 200);
  ring.pop();
  EXPECT_EQ(ring.oldest_since(), kNever);
}

TEST(TaskRingTest, TakesNothingAfterItWasClosedAndGivesWhatItHas) {
  TaskRing ring(4);
  FunctionTask task;
  EXPECT_FALSE(ring.drained());
  ring.push(task, 0);
  ring.close();
  EXPECT_EQ(ring.push(task, 0), TaskRing::Pushed::kClosed);
  EXPECT_EQ(ring.size(), 1U);
  EXPECT_FALSE(ring.drained());
  EXPECT_EQ(ring.pop(), &task);
  EXPECT_TRUE(ring.drained());
  EXPECT_EQ(ring.pop(), nullptr);
}

// Each task comes out once, whoever pushes and pops at the same time.
TEST(TaskRingTest, LosesAndDoublesNothing) {
  struct Counted : Task {
    void run() noexcept override {}
    void finish() noexcept override {}
    void drop() noexcept override {}
    std::atomic<int> popped{0};
  };
  constexpr int kSides = 3;
  constexpr int kTasks = 20'000;
  TaskRing ring(16);
  std::vector<Counted> tasks(kSides * kTasks);
  std::atomic<int> left{kSides * kTasks};
  std::vector<std::thread> threads;
  for (int side = 0; side < kSides; ++side) {
    threads.emplace_back([&, side] {
      for (int i = 0; i < kTasks; ++i) {
        while (ring.push(tasks[static_cast<std::size_t>(side * kTasks + i)], 0) != TaskRing::Pushed::kDone) {
          std::this_thread::yield();
        }
      }
    });
    threads.emplace_back([&] {
      while (left > 0) {
        if (Task* task = ring.pop()) {
          ++static_cast<Counted&>(*task).popped;
          --left;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Counted& task : tasks) ASSERT_EQ(task.popped, 1);
}

}  // namespace
}  // namespace busbar::host
