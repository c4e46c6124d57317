// How a pool gets threads and loses them.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <system_error>

#include "pool/pool.hpp"
#include "pool_testing.hpp"

namespace busbar::host {
namespace {

PoolOptions growing(unsigned threads, unsigned max_threads) {
  PoolOptions options;
  options.threads = threads;
  options.max_threads = max_threads;
  options.queue = 100;
  options.grow_after = kHour;
  options.idle_timeout = kHour;
  return options;
}

// Starts threads as long as it is allowed to.
struct LimitedStarter {
  std::shared_ptr<std::atomic<int>> left;

  std::thread operator()(std::function<void()> body) const {
    if (left->fetch_sub(1) <= 0) throw std::system_error(EAGAIN, std::generic_category());
    return std::thread(std::move(body));
  }
};

class PoolGrowthTest : public testing::Test {
 protected:
  // Calls itself `depth` times, each time waiting for the inner one, as a nested dispatch does. Returns how deep it
  // came.
  static int nest(Pool& pool, int depth) {
    if (depth == 0) return 0;
    const BlockingScope scope;
    if (!scope) return 0;
    int reached = 0;
    FunctionTask inner([&] { reached = nest(pool, depth - 1); });
    if (pool.submit(inner) != Submitted::kAccepted || !inner.wait()) return -100;
    return reached + 1;
  }

  static int nest_on_pool(Pool& pool, int depth) {
    int reached = -1;
    FunctionTask outer([&] { reached = nest(pool, depth); });
    EXPECT_EQ(pool.submit(outer), Submitted::kAccepted);
    EXPECT_TRUE(outer.wait());
    return reached;
  }

  // Waits until the supervisor has called its duties a few times more.
  void let_supervisor_look() {
    auto calls = std::make_shared<std::atomic<int>>(0);
    supervisor_.add_duty([calls](Nanos now) { return calls->fetch_add(1) < 30 ? now + kMillisecond : kNever; });
    ASSERT_TRUE(eventually([&] { return *calls > 30; }));
  }

  Supervisor supervisor_;
};

// C-D14
TEST_F(PoolGrowthTest, MakesUpForThreadsThatBlockInNestedCalls) {
  Pool pool(supervisor_, growing(1, 4));
  EXPECT_EQ(nest_on_pool(pool, 3), 3);
  EXPECT_EQ(pool.stats().live, 4U);
  EXPECT_EQ(pool.stats().blocked, 0U);
}

// C-D14
TEST_F(PoolGrowthTest, RefusesToBlockItsLastThread) {
  Pool pool(supervisor_, growing(1, 3));
  EXPECT_EQ(nest_on_pool(pool, 10), 2);
  EXPECT_EQ(pool.stats().live, 3U);
  EXPECT_EQ(pool.stats().blocked, 0U);
  EXPECT_EQ(nest_on_pool(pool, 10), 2) << "a second time too";
}

TEST_F(PoolGrowthTest, RefusesToBlockItsOnlyThread) {
  Pool pool(supervisor_, growing(1, 1));
  EXPECT_EQ(nest_on_pool(pool, 1), 0);
}

TEST_F(PoolGrowthTest, GivesANestedTaskToAnIdleThreadBeforeItStartsAnother) {
  Pool pool(supervisor_, growing(2, 4));
  ASSERT_TRUE(eventually([&] { return pool.stats().idle == 2; }));
  EXPECT_EQ(nest_on_pool(pool, 1), 1);
  EXPECT_EQ(pool.stats().live, 2U);
}

TEST_F(PoolGrowthTest, CountsBlockedThreads) {
  Pool pool(supervisor_, growing(1, 2));
  HeldTask inner;
  unsigned blocked = 0;
  unsigned running = 0;
  FunctionTask outer([&] {
    const BlockingScope scope;
    ASSERT_EQ(pool.submit(inner), Submitted::kAccepted);
    inner.wait_until_entered();
    blocked = pool.stats().blocked;
    running = pool.stats().running;
    inner.let_go();
    ASSERT_TRUE(inner.wait());
  });
  ASSERT_EQ(pool.submit(outer), Submitted::kAccepted);
  ASSERT_TRUE(outer.wait());
  EXPECT_EQ(blocked, 1U);
  EXPECT_EQ(running, 2U);
}

TEST_F(PoolGrowthTest, DoesNotCountThreadsThatAreNotItsOwn) {
  Pool pool(supervisor_, growing(1, 1));
  const BlockingScope scope;
  EXPECT_TRUE(scope);
  EXPECT_EQ(pool.stats().blocked, 0U);
  EXPECT_EQ(pool.stats().live, 1U);
}

TEST_F(PoolGrowthTest, StartsAnotherThreadWhenTheFirstInTheQueueWaitsTooLong) {
  PoolOptions options = growing(2, 3);
  options.grow_after = kMillisecond;
  Pool pool(supervisor_, options);
  HeldTask held[2];
  for (HeldTask& task : held) ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
  FunctionTask third;
  ASSERT_EQ(pool.submit(third), Submitted::kAccepted);
  EXPECT_TRUE(third.wait());
  EXPECT_EQ(pool.stats().live, 3U);
  for (HeldTask& task : held) task.let_go();
  for (HeldTask& task : held) ASSERT_TRUE(task.wait());
}

TEST_F(PoolGrowthTest, GoesOnGrowingWhileTheQueueDoesNotMoveButNotBeyondItsMaximum) {
  PoolOptions options = growing(1, 5);
  options.grow_after = kMillisecond;
  Pool pool(supervisor_, options);
  std::array<HeldTask, 7> held;
  for (HeldTask& task : held) ASSERT_EQ(pool.submit(task), Submitted::kAccepted);
  for (std::size_t i = 0; i < 5; ++i) held[i].wait_until_entered();
  let_supervisor_look();
  EXPECT_EQ(pool.stats().live, 5U);
  EXPECT_EQ(pool.stats().queued, 2U);
  EXPECT_FALSE(held[5].entered());
  for (HeldTask& task : held) task.let_go();
  for (HeldTask& task : held) ASSERT_TRUE(task.wait());
}

TEST_F(PoolGrowthTest, DoesNotGrowBeforeTheFirstInTheQueueHasWaitedForLong) {
  Pool pool(supervisor_, growing(1, 5));
  HeldTask held;
  ASSERT_EQ(pool.submit(held), Submitted::kAccepted);
  FunctionTask queued;
  ASSERT_EQ(pool.submit(queued), Submitted::kAccepted);
  let_supervisor_look();
  EXPECT_EQ(pool.stats().live, 1U);
  held.let_go();
  ASSERT_TRUE(queued.wait());
  ASSERT_TRUE(held.wait());
}

TEST_F(PoolGrowthTest, EndsThreadsAboveItsNumberThatStayIdle) {
  PoolOptions options = growing(1, 4);
  options.idle_timeout = 2 * kMillisecond;
  Pool pool(supervisor_, options);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(nest_on_pool(pool, 3), 3);
    EXPECT_TRUE(eventually([&] { return pool.stats().live == 1; }));
    EXPECT_TRUE(eventually([&] { return pool.stats().idle == 1; }));
  }
  let_supervisor_look();
  EXPECT_EQ(pool.stats().live, 1U) << "the last one stays";
}

TEST_F(PoolGrowthTest, KeepsThreadsAboveItsNumberUntilTheyWereIdleForLong) {
  Pool pool(supervisor_, growing(1, 4));
  EXPECT_EQ(nest_on_pool(pool, 3), 3);
  ASSERT_TRUE(eventually([&] { return pool.stats().idle == 4; }));
  let_supervisor_look();
  EXPECT_EQ(pool.stats().live, 4U);
}

TEST_F(PoolGrowthTest, RefusesToBlockWhenTheThreadThatWouldBeNeededCannotBeStarted) {
  PoolOptions options = growing(1, 4);
  auto left = std::make_shared<std::atomic<int>>(1);
  options.start_thread = LimitedStarter{left};
  Pool pool(supervisor_, options);
  EXPECT_EQ(nest_on_pool(pool, 3), 0);
  EXPECT_EQ(pool.stats().live, 1U);
  EXPECT_EQ(pool.stats().blocked, 0U);
  left->store(10);
  EXPECT_EQ(nest_on_pool(pool, 3), 3) << "it tries again";
}

TEST_F(PoolGrowthTest, BlocksWithoutANewThreadWhileAnotherIsAbleToRun) {
  PoolOptions options = growing(2, 4);
  options.start_thread = LimitedStarter{std::make_shared<std::atomic<int>>(2)};
  Pool pool(supervisor_, options);
  HeldTask busy;
  ASSERT_EQ(pool.submit(busy), Submitted::kAccepted);
  busy.wait_until_entered();
  bool granted = false;
  FunctionTask blocking([&] {
    const BlockingScope scope;
    granted = bool(scope);
  });
  ASSERT_EQ(pool.submit(blocking), Submitted::kAccepted);
  ASSERT_TRUE(blocking.wait());
  EXPECT_TRUE(granted);
  busy.let_go();
  ASSERT_TRUE(busy.wait());
  EXPECT_EQ(pool.stats().live, 2U);
}

TEST_F(PoolGrowthTest, TriesAgainLaterWhenAThreadForTheQueueCannotBeStarted) {
  PoolOptions options = growing(1, 4);
  options.grow_after = kMillisecond;
  auto attempts = std::make_shared<std::atomic<int>>(0);
  options.start_thread = [attempts](std::function<void()> body) {
    const int attempt = attempts->fetch_add(1);
    if (attempt >= 1 && attempt <= 3) throw std::system_error(EAGAIN, std::generic_category());
    return std::thread(std::move(body));
  };
  Pool pool(supervisor_, options);
  HeldTask held;
  ASSERT_EQ(pool.submit(held), Submitted::kAccepted);
  FunctionTask queued;
  ASSERT_EQ(pool.submit(queued), Submitted::kAccepted);
  EXPECT_TRUE(queued.wait());
  EXPECT_GE(*attempts, 5);
  held.let_go();
  ASSERT_TRUE(held.wait());
}

TEST_F(PoolGrowthTest, FailsToBeMadeWhenItsFirstThreadsCannotBeStarted) {
  PoolOptions options = growing(3, 4);
  options.start_thread = LimitedStarter{std::make_shared<std::atomic<int>>(2)};
  EXPECT_THROW(Pool(supervisor_, options), std::system_error);
}

}  // namespace
}  // namespace busbar::host
