#include "stats/call_stats.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "stats/stats_book.hpp"

namespace busbar::host {
namespace {

TEST(CallStats, WhatRanOnItsCallersThreadCountsInEachDuration) {
  CallStats stats;
  stats.ran_inline(Outcome::ok, 3 * kMicrosecond);
  const CallCounts counts = stats.read();
  EXPECT_EQ(counts.of(Outcome::ok), 1U);
  EXPECT_EQ(counts.running.sum, 3 * kMicrosecond);
  EXPECT_EQ(counts.whole.sum, 3 * kMicrosecond);
  EXPECT_EQ(counts.queued.counts.front(), 1U);
  EXPECT_EQ(counts.queued.sum, 0);
}

TEST(CallStats, WhatSeveralThreadsCountIsAllThere) {
  constexpr int kThreads = 8, kEach = 1'000;
  CallStats stats;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&stats] {
      for (int n = 0; n < kEach; ++n) {
        stats.ran(kMicrosecond, kMillisecond);
        stats.ended(Outcome::badrpc, kSecond);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const CallCounts counts = stats.read();
  EXPECT_EQ(counts.total(), kThreads * kEach);
  EXPECT_EQ(counts.of(Outcome::badrpc), kThreads * kEach);
  EXPECT_EQ(counts.queued.sum, kThreads * kEach * kMicrosecond);
  EXPECT_EQ(counts.running.sum, kThreads * kEach * kMillisecond);
  EXPECT_EQ(counts.whole.sum, kThreads * kEach * kSecond);
}

TEST(CallStats, EachKindOfResponseHasItsOutcome) {
  EXPECT_EQ(outcome_of(Response::ok()), Outcome::ok);
  EXPECT_EQ(outcome_of(Response::created("id")), Outcome::created);
  EXPECT_EQ(outcome_of(Response::service_unavailable("s")), Outcome::service_unavailable);
  EXPECT_EQ(outcome_of(Response::service_timeout("s", "id", 1)), Outcome::service_timeout);
  EXPECT_EQ(outcome_of(Response::missing_id("field")), Outcome::missing_id);
  EXPECT_EQ(outcome_of(Response::forbidden()), Outcome::forbidden);
  EXPECT_EQ(outcome_of(Response::bad_rpc("exit", "")), Outcome::badrpc);
  EXPECT_EQ(outcome_of(Response::try_another_node("busy")), Outcome::try_another_node);
  EXPECT_EQ(outcome_of(Response::error("overloaded", "")), Outcome::overloaded);
  EXPECT_EQ(outcome_of(Response::error("would_block", "")), Outcome::would_block);
  EXPECT_EQ(outcome_of(Response::error("malformed", "")), Outcome::malformed);
}

// Whatever applications call their errors, there are never more outcomes.
TEST(CallStats, AnErrorOfAnApplicationsOwnIsAnErrorAlsoWhereItIsNamedAsAKindIs) {
  for (const char* code : {"out_of_tea", "ok", "created", "service_timeout", "error"}) {
    EXPECT_EQ(outcome_of(Response::error(code, "")), Outcome::error) << code;
  }
}

TEST(StatsBook, CountsGoOnWithTheNextThatHasTheSameAndEndWithTheLast) {
  StatsBook book;
  auto first = book.of({"greet", "greeter", "1.0"});
  first->ended(Outcome::ok, kSecond);
  auto second = book.of({"greet", "greeter", "1.0"});
  first.reset();
  ASSERT_EQ(book.rows().size(), 1U);
  EXPECT_EQ(second->read().total(), 1U);
  EXPECT_EQ(book.of({"greet", "greeter", "1.1"})->read().total(), 0U);
  second.reset();
  EXPECT_TRUE(book.rows().empty());
}

TEST(StatsBook, VersionsThatHaveGoneDoNotPileUp) {
  StatsBook book;
  const auto kept = book.of({"s", "p", "kept"});
  for (int i = 0; i < 10'000; ++i) book.of({"s", "p", std::to_string(i)});
  EXPECT_EQ(book.rows().size(), 1U);
  EXPECT_LT(book.size(), 1'000U);
}

}  // namespace
}  // namespace busbar::host
