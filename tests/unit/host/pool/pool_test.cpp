// Handing over, queueing, and what a pool tells of itself.
#include "pool/pool.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <vector>

#include "pool_testing.hpp"

namespace busbar::host {
namespace {

// As many threads as said, and no more of them for a long queue.
PoolOptions fixed(unsigned threads, std::size_t queue = 1000) {
  PoolOptions options;
  options.threads = threads;
  options.max_threads = threads;
  options.queue = queue;
  options.grow_after = kHour;
  return options;
}

class PoolTest : public testing::Test {
 protected:
  Supervisor supervisor_;
};

TEST_F(PoolTest, RunsATaskOnAThreadOfItsOwnAndThenTellsTheCaller) {
  Pool pool(supervisor_, fixed(1));
  std::thread::id ran_on;
  bool on_worker = false;
  bool had_run = false;
  FunctionTask task([&] {
    ran_on = std::this_thread::get_id();
    on_worker = Pool::on_worker();
  });
  task.on_finish = [&] { had_run = ran_on == std::this_thread::get_id(); };
  EXPECT_EQ(pool.submit(task), Submitted::kAccepted);
  ASSERT_TRUE(task.wait());
  EXPECT_NE(ran_on, std::this_thread::get_id());
  EXPECT_TRUE(on_worker);
  EXPECT_TRUE(had_run);
  EXPECT_FALSE(task.dropped());
  EXPECT_FALSE(Pool::on_worker());
}

TEST_F(PoolTest, ListsAThreadAsIdleBeforeItTellsTheCaller) {
  Pool pool(supervisor_, fixed(1));
  unsigned idle_while_running = 1;
  unsigned idle_when_told = 0;
  FunctionTask task([&] { idle_while_running = pool.stats().idle; });
  task.on_finish = [&] { idle_when_told = pool.stats().idle; };
  ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
  ASSERT_TRUE(task.wait());
  EXPECT_EQ(idle_while_running, 0U);
  EXPECT_EQ(idle_when_told, 1U);
}

TEST_F(PoolTest, GivesALoneCallerTheSameThreadEachTime) {
  Pool pool(supervisor_, fixed(4));
  ASSERT_TRUE(eventually([&] { return pool.stats().idle == 4; }));
  std::set<std::thread::id> threads;
  for (int i = 0; i < 500; ++i) {
    FunctionTask task([&] { threads.insert(std::this_thread::get_id()); });
    ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
    ASSERT_TRUE(task.wait());
  }
  EXPECT_EQ(threads.size(), 1U);
}

TEST_F(PoolTest, RunsQueuedTasksInTheOrderInWhichTheyCame) {
  Pool pool(supervisor_, fixed(1));
  HeldTask first;
  ASSERT_EQ(pool.submit(first), Submitted::kAccepted);
  first.wait_until_entered();
  std::vector<int> order;
  std::vector<int> expected;
  std::vector<std::unique_ptr<FunctionTask>> tasks;
  for (int i = 0; i < 200; ++i) {
    expected.push_back(i);
    tasks.push_back(std::make_unique<FunctionTask>([&order, i] { order.push_back(i); }));
    ASSERT_EQ(pool.submit(*tasks.back()), Submitted::kAccepted);
  }
  first.let_go();
  for (const auto& task : tasks) ASSERT_TRUE(task->wait());
  EXPECT_EQ(order, expected);
  ASSERT_TRUE(first.wait());
}

TEST_F(PoolTest, TellsOneCallerBeforeItRunsTheNextTask) {
  Pool pool(supervisor_, fixed(1));
  HeldTask first;
  HeldTask second;
  ASSERT_EQ(pool.submit(first), Submitted::kAccepted);
  first.wait_until_entered();
  ASSERT_EQ(pool.submit(second), Submitted::kAccepted);
  first.let_go();
  ASSERT_TRUE(first.wait());
  second.let_go();
  ASSERT_TRUE(second.wait());
}

// C-D14, C-D15
TEST_F(PoolTest, RefusesATaskAtOnceWhenItsQueueIsFull) {
  Pool pool(supervisor_, fixed(1, 2));
  HeldTask running;
  ASSERT_EQ(pool.submit(running), Submitted::kAccepted);
  running.wait_until_entered();
  FunctionTask queued[2];
  EXPECT_EQ(pool.submit(queued[0]), Submitted::kAccepted);
  EXPECT_EQ(pool.submit(queued[1]), Submitted::kAccepted);
  bool ran = false;
  FunctionTask refused([&] { ran = true; });
  EXPECT_EQ(pool.submit(refused), Submitted::kFull);
  EXPECT_EQ(pool.stats().queued, 2U);

  running.let_go();
  for (FunctionTask& task : queued) ASSERT_TRUE(task.wait());
  ASSERT_TRUE(running.wait());
  EXPECT_FALSE(ran);
  FunctionTask later;
  EXPECT_EQ(pool.submit(later), Submitted::kAccepted);
  ASSERT_TRUE(later.wait());
}

TEST_F(PoolTest, CanDoWithoutAQueue) {
  Pool pool(supervisor_, fixed(1, 0));
  ASSERT_TRUE(eventually([&] { return pool.stats().idle == 1; }));
  HeldTask running;
  ASSERT_EQ(pool.submit(running), Submitted::kAccepted);
  FunctionTask refused;
  EXPECT_EQ(pool.submit(refused), Submitted::kFull);
  running.let_go();
  ASSERT_TRUE(running.wait());
  FunctionTask later;
  EXPECT_EQ(pool.submit(later), Submitted::kAccepted);
  ASSERT_TRUE(later.wait());
}

TEST_F(PoolTest, CountsWhatItHasAndDoes) {
  Pool pool(supervisor_, fixed(2));
  ASSERT_TRUE(eventually([&] { return pool.stats().idle == 2; }));
  HeldTask running[2];
  FunctionTask queued;
  for (HeldTask& task : running) ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
  for (HeldTask& task : running) task.wait_until_entered();
  ASSERT_EQ(pool.submit(queued), Submitted::kAccepted);
  PoolStats stats = pool.stats();
  EXPECT_EQ(stats.threads, 2U);
  EXPECT_EQ(stats.max_threads, 2U);
  EXPECT_EQ(stats.live, 2U);
  EXPECT_EQ(stats.idle, 0U);
  EXPECT_EQ(stats.blocked, 0U);
  EXPECT_EQ(stats.running, 2U);
  EXPECT_EQ(stats.queued, 1U);
  EXPECT_EQ(stats.started, 2U);
  EXPECT_EQ(stats.finished, 0U);
  for (HeldTask& task : running) task.let_go();
  for (HeldTask& task : running) ASSERT_TRUE(task.wait());
  ASSERT_TRUE(queued.wait());
  stats = pool.stats();
  EXPECT_EQ(stats.running, 0U);
  EXPECT_EQ(stats.started, 3U);
  EXPECT_EQ(stats.finished, 3U);
}

TEST_F(PoolTest, StartsAsManyThreadsAsThereAreProcessorsUnlessToldOtherwise) {
  Pool pool(supervisor_, {});
  EXPECT_EQ(pool.stats().threads, std::thread::hardware_concurrency());
  EXPECT_EQ(pool.stats().live, std::thread::hardware_concurrency());
  EXPECT_EQ(pool.stats().max_threads, 256U);
}

TEST_F(PoolTest, RefusesOptionsThatContradictEachOther) {
  PoolOptions too_few;
  too_few.threads = 3;
  too_few.max_threads = 2;
  EXPECT_THROW(Pool(supervisor_, too_few), std::invalid_argument);
  PoolOptions too_many;
  too_many.max_threads = Pool::kMaxThreads + 1;
  EXPECT_THROW(Pool(supervisor_, too_many), std::invalid_argument);
}

}  // namespace
}  // namespace busbar::host
