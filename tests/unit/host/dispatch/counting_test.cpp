// What is counted of calls: once each, in the service that has served them, or in the node that was asked.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "support/hub.hpp"
#include "support/linked_hubs.hpp"

namespace busbar::testing {
namespace {

using host::Outcome;

host::ServiceStats stats_of(Hub& hub, const std::string& service) {
  for (auto& row : hub.dispatcher().service_stats()) {
    if (row.key.service == service) return row;
  }
  ADD_FAILURE() << "nothing is counted of " << service;
  return {};
}

class Counting : public ::testing::TestWithParam<std::tuple<Form, bool>> {
 protected:
  Form form() const { return std::get<0>(GetParam()); }
  std::uint32_t flags() const { return std::get<1>(GetParam()) ? BUSBAR_SERVICE_INLINE : 0; }
  Script script(const std::string& service, Script::Answer answer) {
    return Script().on(service, std::move(answer), flags());
  }
  Hub hub;
};
INSTANTIATE_TEST_SUITE_P(Forms, Counting,
                         ::testing::Combine(::testing::Values(Form::blocking, Form::async), ::testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) == Form::blocking ? "Blocking" : "Async") +
                                  (std::get<1>(tested.param) ? "Inline" : "Pooled");
                         });

TEST_P(Counting, EachCallOnceByHowItEnds) {
  hub.add("p", script("s", [](Message& message, Context&) -> Response {
            switch (message.raw_request().to_json().get<int>()) {
              case 0:
                return Response::ok(1);
              case 1:
                return Response::error("out_of_tea", "");
              case 2:
                return Response::missing_id("field");
              default:
                throw std::runtime_error("thrown");
            }
          }));
  for (int kind : {0, 0, 0, 1, 2, 3}) hub.call(Message::of("s", kind), {}, form());
  ASSERT_TRUE(hub.quiet());
  const auto stats = stats_of(hub, "s");
  EXPECT_EQ(stats.key.plugin, "p");
  EXPECT_EQ(stats.key.version, "1.0");
  EXPECT_EQ(stats.counts.of(Outcome::ok), 3U);
  EXPECT_EQ(stats.counts.of(Outcome::error), 1U);
  EXPECT_EQ(stats.counts.of(Outcome::missing_id), 1U);
  EXPECT_EQ(stats.counts.of(Outcome::badrpc), 1U);
  for (const auto* durations : {&stats.counts.queued, &stats.counts.running, &stats.counts.whole}) {
    EXPECT_EQ(durations->total(), 6U);
  }
  EXPECT_EQ(stats.queued + stats.running + stats.deferred, 0U);
}

TEST_P(Counting, AnAnswerThatIsGivenLaterIsPartOfTheWholeAndNotOfTheRunning) {
  std::promise<ReplyHandle> kept;
  hub.add("p", Script().defer(
                   "s", [&](Message&, Context& context) { kept.set_value(context.reply_handle()); }, flags()));
  std::thread answerer([&] {
    EXPECT_TRUE(eventually([&] { return stats_of(hub, "s").deferred == 1; }));
    kept.get_future().get().reply(Response::ok());
  });
  EXPECT_TRUE(hub.call(Message("s"), {}, form()).response().succeeded());
  answerer.join();
  const auto counts = stats_of(hub, "s").counts;
  EXPECT_EQ(counts.of(Outcome::ok), 1U);
  EXPECT_EQ(counts.running.total(), 1U);
  EXPECT_GE(counts.whole.sum, counts.running.sum);
}

TEST_P(Counting, NothingWhereItIsSwitchedOff) {
  hub.dispatcher().count_calls(false);
  hub.add("p", script("s", [](Message&, Context&) { return Response::ok(); }));
  EXPECT_TRUE(hub.call(Message("s"), {}, form()).response().succeeded());
  EXPECT_TRUE(hub.dispatcher().service_stats().empty());
}

TEST(CountingPooled, ACallThatTimesOutIsCountedAtOnceAndItsRunWhenItEnds) {
  Hub hub;
  std::promise<void> go_on;
  hub.add("p", Script().on("s", [&](Message&, Context&) {
    go_on.get_future().wait();
    return Response::ok();
  }));
  EXPECT_EQ(hub.call(Message("s"), {500}).response().kind(), Response::Kind::service_timeout);
  auto stats = stats_of(hub, "s");
  EXPECT_EQ(stats.counts.of(Outcome::service_timeout), 1U);
  EXPECT_EQ(stats.counts.total(), 1U);
  EXPECT_EQ(stats.counts.running.total(), 0U);
  EXPECT_EQ(stats_of(hub, "s").running, 1U);
  go_on.set_value();
  ASSERT_TRUE(hub.quiet());
  stats = stats_of(hub, "s");
  EXPECT_EQ(stats.counts.total(), 1U);
  EXPECT_EQ(stats.counts.running.total(), 1U);
  EXPECT_GE(stats.counts.running.sum, 500 * host::kMillisecond - stats.counts.queued.sum);
}

// In an overload they are most of them.
TEST(CountingPooled, WhatIsGivenUpWhileItWaitsCountsAsHavingWaitedSoLong) {
  LinkedHubs net({"a", "b"});
  std::promise<void> go_on;
  auto until = go_on.get_future().share();
  net.add("b", Script()
                   .on("s",
                       [until](Message&, Context&) {
                         until.wait();
                         return Response::ok();
                       })
                   .limit(1));
  std::thread first([&] { net["b"].call(Message("s"), {60'000}); });
  EXPECT_TRUE(eventually([&] { return stats_of(net["b"], "s").running == 1; }));
  for (const char* node : {"a", "b"}) {
    EXPECT_EQ(net[node].call(Message("s"), {300}).response().kind(), Response::Kind::service_timeout);
  }
  EXPECT_TRUE(eventually([&] { return stats_of(net["b"], "s").counts.queued.total() == 2; }));
  EXPECT_GE(stats_of(net["b"], "s").counts.queued.sum, 500 * host::kMillisecond);
  go_on.set_value();
  first.join();
  ASSERT_TRUE(net.quiet());
  const auto counts = stats_of(net["b"], "s").counts;
  EXPECT_EQ(counts.queued.total(), 3U);
  EXPECT_EQ(counts.running.total(), 1U);
  EXPECT_EQ(counts.total(), 3U);
}

TEST(CountingPooled, CallsThatNobodyServesMakeNoService) {
  Hub hub;
  for (const char* service : {"nobody", "nobody_else"}) hub.call(Message(service));
  EXPECT_TRUE(hub.dispatcher().service_stats().empty());
  EXPECT_EQ(hub.dispatcher().calls_unserved(), 2U);
}

TEST_P(Counting, ACallOfAnotherNodeIsCountedThereByItsServiceAndHereByTheNode) {
  LinkedHubs net({"a", "b"});
  net.add("b", script("s", [](Message&, Context&) { return Response::error("out_of_tea", ""); }));
  EXPECT_TRUE(net["a"].call(Message("s"), {}, form()).response().is_error("out_of_tea"));
  ASSERT_TRUE(net.quiet());
  EXPECT_TRUE(net["a"].dispatcher().service_stats().empty());
  const auto there = stats_of(net["b"], "s").counts;
  EXPECT_EQ(there.of(Outcome::error), 1U);
  EXPECT_EQ(there.whole.total(), 1U);
  EXPECT_EQ(there.running.total(), 1U);
  const auto here = net.link("a", "b").peer()->stats().read();
  EXPECT_EQ(here.of(Outcome::error), 1U);
  EXPECT_EQ(here.total(), 1U);
  EXPECT_GE(here.whole.sum, there.whole.sum);
}

// Whose time is over is known here: who asks has said how long it waits.
TEST(CountingForNodes, ACallThatTimesOutIsCountedAtOnceAndNotAgainAtItsEnd) {
  LinkedHubs net({"a", "b"});
  std::promise<void> go_on;
  net.add("b", Script().on("s", [&](Message&, Context&) {
    go_on.get_future().wait();
    return Response::ok();
  }));
  EXPECT_EQ(net["a"].call(Message("s"), {500}).response().kind(), Response::Kind::service_timeout);
  EXPECT_TRUE(eventually([&] { return stats_of(net["b"], "s").counts.of(Outcome::service_timeout) == 1; }));
  EXPECT_EQ(stats_of(net["b"], "s").running, 1U);
  go_on.set_value();
  ASSERT_TRUE(net.quiet());
  const auto counts = stats_of(net["b"], "s").counts;
  EXPECT_EQ(counts.of(Outcome::service_timeout), 1U);
  EXPECT_EQ(counts.total(), 1U);
  EXPECT_EQ(counts.whole.total(), 1U);
  EXPECT_EQ(counts.running.total(), 1U);
}

// Of many that end about when their time does, each is counted once, whoever was first.
TEST(CountingForNodes, EachIsCountedOnceWhoeverEndsIt) {
  constexpr unsigned kCalls = 200;
  LinkedHubs net({"a", "b"});
  net.add("b", Script().on("s", [&](Message&, Context& context) {
    std::this_thread::sleep_for(std::max<std::chrono::nanoseconds>(context.time_left(), {}));
    return Response::ok();
  }));
  for (unsigned i = 0; i < kCalls; ++i) net["a"].call(Message("s"), {1});
  ASSERT_TRUE(net.quiet());
  const auto sent = net.link("a", "b").peer()->requested();  // on a busy machine one may be over before it is sent
  EXPECT_GT(sent, 0U);
  // What has been sent may still be on its way: nobody waits for it any more.
  EXPECT_TRUE(eventually([&] { return stats_of(net["b"], "s").counts.total() >= sent; }));
  ASSERT_TRUE(net.quiet());
  EXPECT_EQ(stats_of(net["b"], "s").counts.total(), sent);
  EXPECT_EQ(stats_of(net["b"], "s").counts.whole.total(), sent);
}

class CountingDeferredForNodes : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Forms, CountingDeferredForNodes, ::testing::Bool(),
                         [](const auto& tested) { return std::string(tested.param ? "Inline" : "Pooled"); });

TEST_P(CountingDeferredForNodes, OneThatIsToBeAnsweredLaterTimesOutLikewise) {
  LinkedHubs net({"a", "b"});
  std::promise<ReplyHandle> kept;
  net.add("b", Script().defer(
                   "s", [&](Message&, Context& context) { kept.set_value(context.reply_handle()); },
                   GetParam() ? BUSBAR_SERVICE_INLINE : 0));
  EXPECT_EQ(net["a"].call(Message("s"), {500}).response().kind(), Response::Kind::service_timeout);
  EXPECT_TRUE(eventually([&] { return stats_of(net["b"], "s").counts.of(Outcome::service_timeout) == 1; }));
  kept.get_future().get().reply(Response::ok());
  ASSERT_TRUE(net.quiet());
  EXPECT_EQ(stats_of(net["b"], "s").counts.total(), 1U);
}

}  // namespace
}  // namespace busbar::testing
