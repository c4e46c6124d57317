// What happens when the pool has no more room: never a deadlock, always an answer at once (C-D14, C-D15).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using host::kSecond;
using std::chrono::hours;

// Calls itself until the depth that it is asked for is reached; answers the response of the depth below.
Script::Answer nesting() {
  return [](Message& message, Context& context) {
    const int depth = message.raw_request_as<int>();
    if (depth == 0) return Response::ok(0);
    const Message back = context.call("nest", depth - 1, hours(24));
    if (!back.response().succeeded()) return back.response();
    return Response::ok(back.response().value_as<int>() + 1);
  };
}

class Limits : public ::testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(BothForms, Limits, ::testing::Values(Form::blocking, Form::async),
                         [](const auto& tested) { return tested.param == Form::blocking ? "Blocking" : "Async"; });

TEST_P(Limits, C_D14_APoolOfOneThreadServesNestedCallsOfDepthThree) {
  Hub hub({1, 16, 100, 10 * kSecond, kSecond, {}});
  hub.add("p", Script().on("nest", nesting()));
  for (int round = 0; round < 20; ++round) {
    const Message back = hub.call(Message::of("nest", 3), {kMaxTimeoutMs}, GetParam());
    ASSERT_TRUE(back.response().succeeded()) << back.response().text();
    EXPECT_EQ(back.response().value_as<int>(), 3);
  }
}

TEST_P(Limits, C_D14_ReachesAnyDepthThatThePoolsMaximumAllowsAndIsOverloadedBeyond) {
  constexpr unsigned kMax = 6;
  Hub hub({1, kMax, 100, 10 * kSecond, kSecond, {}});
  hub.add("p", Script().on("nest", nesting()));
  // A depth of n takes n + 1 threads.
  const Message deepest = hub.call(Message::of("nest", static_cast<int>(kMax) - 1), {kMaxTimeoutMs}, GetParam());
  EXPECT_TRUE(deepest.response().succeeded()) << deepest.response().error_code() << deepest.response().text();
  const Message beyond = hub.call(Message::of("nest", 50), {kMaxTimeoutMs}, GetParam());
  const bool said = beyond.response().is_error("overloaded") || beyond.response().is_error("no_nodes_available");
  EXPECT_TRUE(said) << beyond.response().error_code();
  // And it recovers.
  EXPECT_TRUE(hub.call(Message::of("nest", 3), {kMaxTimeoutMs}, GetParam()).response().succeeded());
}

TEST_P(Limits, C_D14_TheNestedCallItselfIsAnsweredOverloaded) {
  Hub hub({1, 1, 100, 10 * kSecond, kSecond, {}});
  std::promise<Response> inner;
  hub.add("p", Script()
                   .on("leaf", [](Message&, Context&) { return Response::ok(); })
                   .on("outer", [&](Message&, Context& context) {
                     inner.set_value(context.dispatch(Message("leaf"), hours(24)).response());
                     return Response::ok();
                   }));
  EXPECT_TRUE(hub.call(Message("outer"), {kMaxTimeoutMs}, GetParam()).response().succeeded());
  EXPECT_TRUE(inner.get_future().get().is_error("overloaded"));
  EXPECT_TRUE(hub.quiet());
}

TEST_P(Limits, C_D14_ManyCallersNestingAtOnceAreAllAnswered) {
  Hub hub({2, 8, 200, host::kMillisecond, kSecond, {}});
  hub.add("p", Script().on("nest", nesting()));
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 8; ++c) {
    callers.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        const Message back = hub.call(Message::of("nest", 3), {kMaxTimeoutMs}, GetParam());
        const auto& response = back.response();
        if (response.succeeded() || response.is_error("overloaded") || response.is_error("no_nodes_available")) {
          ++answered;
        }
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(answered, 80);
}

TEST_P(Limits, C_D14_AnInlineServiceThatAnswersLaterDoesNotStarveThePool) {
  // Its caller, a pool thread, waits for the answer; whoever answers needs the pool.
  Hub hub({1, 4, 100, 1000 * kSecond, kSecond, {}});
  std::vector<std::thread> helpers;
  hub.add("p", Script()
                   .on("leaf", [](Message&, Context&) { return Response::ok(5); })
                   .defer(
                       "later",
                       [&](Message&, Context& context) {
                         const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                         helpers.emplace_back(
                             [handle] { handle->reply(handle->dispatch(Message("leaf"), hours(24)).response()); });
                       },
                       BUSBAR_SERVICE_INLINE)
                   .on("outer", [](Message&, Context& context) {
                     return context.dispatch(Message("later"), hours(24)).response();
                   }));
  // The far timeout would be a hang; so this one only has to be long for a slow machine.
  const Message back = hub.call(Message("outer"), {30'000}, GetParam());
  for (auto& helper : helpers) helper.join();
  ASSERT_TRUE(back.response().succeeded()) << "every thread of the pool was waiting";
  EXPECT_EQ(back.response().value_as<int>(), 5);
}

TEST_P(Limits, C_D14_AuthorizedMayBeAskedFromAHandlerOfTheOnlyThread) {
  Hub hub({1, 4, 100, 1000 * kSecond, kSecond, {}});
  hub.add("p",
          Script().on("leaf", [](Message&, Context&) { return Response::ok(); }).on("outer", [&](Message&, Context&) {
            const auto answer = hub.dispatcher().authorized(Message("leaf"), {30'000});
            return Response::ok(answer.kind == host::AuthorizationAnswer::Kind::yes);
          }));
  const Message back = hub.call(Message("outer"), {60'000}, GetParam());
  EXPECT_TRUE(back.response().value_as<bool>());
}

TEST_P(Limits, C_D15_AFullQueueIsNoNodesAvailableWithLocalOverloadedAtOnce) {
  std::latch let_go(1);
  std::promise<void> busy;
  Hub hub({1, 1, 2, 1000 * kSecond, kSecond, {}});
  hub.add("p", Script()
                   .on("hold",
                       [&](Message&, Context&) {
                         busy.set_value();
                         let_go.wait();
                         return Response::ok();
                       })
                   .on("work", [](Message&, Context&) { return Response::ok(); }));
  std::latch ended(3);
  const auto count_down = [&](Message&& m) {
    EXPECT_TRUE(m.response().succeeded());
    ended.count_down();
  };
  hub.dispatcher().dispatch_async(Message("hold"), count_down, {kMaxTimeoutMs});
  busy.get_future().wait();
  for (int i = 0; i < 2; ++i) hub.dispatcher().dispatch_async(Message("work"), count_down, {kMaxTimeoutMs});
  const Message back = hub.call(Message("work"), {kMaxTimeoutMs}, GetParam());
  ASSERT_TRUE(back.response().is_error("no_nodes_available"));
  EXPECT_EQ(back.response().value().to_json(), (nlohmann::json{{{"node", "local"}, {"reason", "overloaded"}}}));
  let_go.count_down();
  ended.wait();
}

TEST_P(Limits, C_D15_AProviderThatSaysOverloadedIsTreatedAsTryAnotherNode) {
  Hub hub;
  hub.add("p", Script().on("busy", [](Message&, Context&) { return Response::error("overloaded", "come later"); }));
  const Message back = hub.call(Message("busy"), {}, GetParam());
  ASSERT_TRUE(back.response().is_error("no_nodes_available"));
  EXPECT_EQ(back.response().value().to_json(), (nlohmann::json{{{"node", "local"}, {"reason", "overloaded"}}}));
}

TEST_P(Limits, AnswersUnloadedOnceThePoolHasStopped) {
  Hub hub;
  hub.add("p", Script().on("work", [](Message&, Context&) { return Response::ok(); }));
  hub.pool().stop(host::now_ns() + kSecond);
  EXPECT_TRUE(hub.call(Message("work"), {kMaxTimeoutMs}, GetParam()).response().is_bad_rpc("unloaded"));
}

TEST(Callbacks, ABlockingDispatchInOneAnswersWouldBlock) {
  Hub hub;
  hub.add("p", Script().on("work", [](Message&, Context&) { return Response::ok(); }));
  std::promise<Response> inner;
  hub.dispatcher().dispatch_async(Message("work"), [&](Message&&) {
    Message nested("work");
    hub.dispatcher().dispatch(nested);
    inner.set_value(nested.response());
  });
  EXPECT_TRUE(inner.get_future().get().is_error("would_block"));
  EXPECT_TRUE(hub.call("work").response().succeeded()) << "and only in it";
}

TEST(Callbacks, MayDispatchWithoutWaiting) {
  Hub hub;
  hub.add("p", Script().on("work", [](Message&, Context&) { return Response::ok(); }));
  std::promise<int> depth;
  std::function<void(int)> again = [&](int n) {
    if (n == 100) return depth.set_value(n);
    hub.dispatcher().dispatch_async(Message("work"), [&, n](Message&&) { again(n + 1); });
  };
  again(0);
  EXPECT_EQ(depth.get_future().get(), 100);
}

}  // namespace
}  // namespace busbar::testing
