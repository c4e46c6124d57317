// Many threads at once: no wake-up is lost, no task is lost. Meant for the thread sanitizer too.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "pool/completion_queue.hpp"
#include "pool/pool.hpp"
#include "pool_testing.hpp"

namespace busbar::host {
namespace {

PoolOptions fixed(unsigned threads, std::size_t queue) {
  PoolOptions options;
  options.threads = threads;
  options.max_threads = threads;
  options.queue = queue;
  options.grow_after = kHour;  // nobody comes to the aid of a task that was forgotten
  return options;
}

// A call that blocks its caller.
struct Call : Task {
  void run() noexcept override { answer = question + 1; }
  void finish() noexcept override { waiter.complete(); }
  void drop() noexcept override { waiter.complete(); }

  int question = 0;
  int answer = 0;
  Waiter waiter;
};

struct AsynchronousCall : Task, Completion {
  void run() noexcept override { ++runs; }
  void finish() noexcept override { completions->push(*this); }
  void drop() noexcept override { completions->push(*this); }

  CompletionQueue* completions = nullptr;
  int runs = 0;
};

TEST(PoolHammer, AnswersEveryBlockingCaller) {
  constexpr int kCallers = 8;
  constexpr int kCalls = 4000;
  for (const unsigned threads : {1U, 2U, 5U}) {
    Supervisor supervisor;
    Pool pool(supervisor, fixed(threads, kCallers));
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        Call call;
        for (int i = 0; i < kCalls; ++i) {
          call.waiter.reset();
          call.question = i;
          if (pool.submit(call) != Submitted::kAccepted) ++wrong;
          // Some go to sleep at once, some yield first: both ways in must meet both ways out.
          const unsigned yields = (i + caller) % 3 == 0 ? 0 : YieldGuard::kYields;
          if (!call.waiter.wait_until(far_future(), pool.yield_guard(), yields)) {
            ++wrong;
            return;
          }
          if (call.answer != i + 1) ++wrong;
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    ASSERT_EQ(wrong, 0) << threads << " threads";
    EXPECT_EQ(pool.stats().finished, std::uint64_t{kCallers} * kCalls);
  }
}

// The second task of each round comes while the thread is about to list itself as idle after the first. Nothing comes
// after it that would bring the thread back to a task it has missed.
TEST(PoolHammer, ForgetsNoTaskThatIsQueuedWhileAThreadBecomesIdle) {
  constexpr int kRounds = 100'000;
  Supervisor supervisor;
  Pool pool(supervisor, fixed(1, 10));
  std::array<Call, 2> calls;
  for (int round = 0; round < kRounds; ++round) {
    for (Call& call : calls) call.waiter.reset();
    ASSERT_EQ(pool.submit(calls[0]), Submitted::kAccepted);
    for (volatile int pause = round % 1024; pause > 0;) pause = pause - 1;
    ASSERT_EQ(pool.submit(calls[1]), Submitted::kAccepted);
    for (Call& call : calls) ASSERT_TRUE(call.waiter.wait_until(far_future(), pool.yield_guard()));
  }
}

// As many under way as the queue holds, for many rounds of it: it must never seem full.
TEST(PoolHammer, IsNeverFullBelowItsLimit) {
  constexpr int kUnderWay = 64;
  constexpr int kCalls = 200'000;
  Supervisor supervisor;
  Pool pool(supervisor, fixed(2, kUnderWay));
  CompletionQueue completions;
  std::array<AsynchronousCall, kUnderWay> calls;
  int submitted = 0;
  int refused = 0;
  const auto submit = [&](AsynchronousCall& call) {
    ++submitted;
    if (pool.submit(call) != Submitted::kAccepted) ++refused;
  };
  for (AsynchronousCall& call : calls) {
    call.completions = &completions;
    submit(call);
  }
  int completed = 0;
  while (completed + refused < submitted) {
    Completion* done = completions.wait(far_future(), pool.yield_guard());
    ASSERT_NE(done, nullptr);
    while (done != nullptr) {
      Completion* next = done->next;
      ++completed;
      if (submitted < kCalls) submit(static_cast<AsynchronousCall&>(*done));
      done = next;
    }
  }
  EXPECT_EQ(refused, 0);
  int runs = 0;
  for (const AsynchronousCall& call : calls) runs += call.runs;
  EXPECT_EQ(runs, kCalls);
}

TEST(PoolHammer, RunsNestedCallsOfManyCallersOrRefusesThem) {
  constexpr int kCallers = 6;
  constexpr int kCalls = 300;
  Supervisor supervisor;
  PoolOptions options = fixed(2, 100);
  options.max_threads = 6;
  options.idle_timeout = 100 * kMicrosecond;
  options.grow_after = kMillisecond;
  Pool pool(supervisor, options);
  std::atomic<int> granted{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        FunctionTask outer([&] {
          const BlockingScope scope;
          if (!scope) return;
          ++granted;
          FunctionTask inner;
          if (pool.submit(inner) != Submitted::kAccepted || !inner.wait()) ++wrong;
        });
        if (pool.submit(outer) != Submitted::kAccepted || !outer.wait()) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(granted, 0);
  EXPECT_EQ(pool.stats().blocked, 0U);
  EXPECT_TRUE(eventually([&] { return pool.stats().live == 2; }));
}

}  // namespace
}  // namespace busbar::host
