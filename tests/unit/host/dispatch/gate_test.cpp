// max_running and max_queued of services and plugins: how many run, who waits, who is refused (C-D15), and that nobody
// waits for himself (C-D14).
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <latch>
#include <semaphore>
#include <thread>

#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using host::kSecond;
using std::chrono::hours;

// A service whose calls stay inside until they are let go, and that counts them.
class Held {
 public:
  Script::Answer answer() {
    return [this](Message& message, Context&) {
      const int now = ++inside_;
      for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
      }
      {
        const std::lock_guard lock(mutex_);
        order_.push_back(std::string(message.id()));
      }
      ++started_;
      let_go_.acquire();
      --inside_;
      return Response::ok();
    };
  }
  void let_go(std::ptrdiff_t calls = 1) { let_go_.release(calls); }
  int inside() const { return inside_; }
  int started() const { return started_; }
  int most() const { return most_; }
  bool reaches(int inside) {
    return eventually([&] { return inside_ == inside; });
  }
  std::vector<std::string> order() const {
    const std::lock_guard lock(mutex_);
    return order_;
  }

 private:
  std::counting_semaphore<> let_go_{0};
  std::atomic<int> inside_{0}, started_{0}, most_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> order_;
};

// What came back of calls that nobody waits for.
class Outcomes {
 public:
  host::Callback callback() {
    return [this](Message&& back) {
      const Response& response = back.response();
      if (response.succeeded()) ++ok_;
      if (response.is_error("no_nodes_available")) ++refused_;
      if (response.kind() == Response::Kind::service_timeout) ++timed_out_;
      if (response.is_bad_rpc("unloaded")) ++unloaded_;
      ++ended_;
    };
  }
  bool reach(int ended) {
    return eventually([&] { return ended_ == ended; });
  }
  int ended() const { return ended_; }
  int ok() const { return ok_; }
  int refused() const { return refused_; }
  int timed_out() const { return timed_out_; }
  int unloaded() const { return unloaded_; }

 private:
  std::atomic<int> ok_{0}, refused_{0}, timed_out_{0}, unloaded_{0}, ended_{0};
};

host::PoolOptions wide_pool() { return {8, 16, 200'000, 1000 * kSecond, kSecond, {}}; }

class Gates : public ::testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(BothForms, Gates, ::testing::Values(Form::blocking, Form::async),
                         [](const auto& tested) { return tested.param == Form::blocking ? "Blocking" : "Async"; });

TEST(Gate, NoMoreRunThanMaxRunningAndTheOthersTakeNoThreadOfThePoolAndNoRoomInItsQueue) {
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p",
          Script().on("work", held.answer()).limit(2).on("other", [](Message&, Context&) { return Response::ok(); }));
  for (int i = 0; i < 20; ++i) {
    hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  }
  ASSERT_TRUE(held.reaches(2));
  EXPECT_TRUE(hub.call("other").response().succeeded());
  EXPECT_TRUE(eventually([&] { return hub.pool().stats().running == 2; }));
  EXPECT_EQ(hub.pool().stats().queued, 0u);
  EXPECT_EQ(outcomes.ended(), 0);
  held.let_go(20);
  ASSERT_TRUE(outcomes.reach(20));
  EXPECT_EQ(outcomes.ok(), 20);
  EXPECT_EQ(held.most(), 2);
}

TEST(Gate, WhoWaitsIsServedInTheOrderOfComing) {
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script().on("work", held.answer()).limit(1));
  std::vector<std::string> came;
  for (int i = 0; i < 50; ++i) {
    Message message("work");
    came.push_back(std::string(message.id()));
    hub.dispatcher().dispatch_async(std::move(message), outcomes.callback(), {kMaxTimeoutMs});
  }
  held.let_go(50);
  ASSERT_TRUE(outcomes.reach(50));
  EXPECT_EQ(held.order(), came);
}

TEST_P(Gates, C_D15_PastMaxQueuedItIsOverloadedAtOnceAndSaysWhose) {
  for (const bool whole_plugin : {false, true}) {
    Held held;
    Outcomes outcomes;
    Hub hub(wide_pool());
    Script script;
    if (whole_plugin) script.limit(1, 2);
    script.on("work", held.answer());
    if (!whole_plugin) script.limit(1, 2);
    hub.add("p", script);
    for (int i = 0; i < 3; ++i) {
      hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
    }
    ASSERT_TRUE(held.reaches(1));
    const Message back = hub.call(Message("work"), {kMaxTimeoutMs}, GetParam());
    ASSERT_TRUE(back.response().is_error("no_nodes_available")) << back.response().text();
    EXPECT_EQ(back.response().value().to_json(), (nlohmann::json{{{"node", "local"}, {"reason", "overloaded"}}}));
    held.let_go(3);
    ASSERT_TRUE(outcomes.reach(3));
    EXPECT_EQ(outcomes.ok(), 3);
  }
}

TEST_P(Gates, OneCallAfterTheOtherIsNeverRefusedWhereOneMayRunAndNoneWait) {
  Hub hub;
  hub.add("p", Script().on("work", [](Message&, Context&) { return Response::ok(); }).limit(1, 0));
  for (int i = 0; i < 3'000; ++i) {
    const Message back = hub.call(Message("work"), {kMaxTimeoutMs}, GetParam());
    ASSERT_TRUE(back.response().succeeded()) << "call " << i << ": " << back.response().text();
  }
}

TEST_P(Gates, OneCallAfterTheOtherIsNeverRefusedEitherWhereAnotherThreadAnswers) {
  Hub hub;
  std::vector<std::thread> helpers;
  hub.add("p", Script()
                   .defer("later",
                          [&](Message&, Context& context) {
                            const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                            helpers.emplace_back([handle] { handle->reply(Response::ok()); });
                          })
                   .limit(1, 0));
  for (int i = 0; i < 300; ++i) {
    const Message back = hub.call(Message("later"), {kMaxTimeoutMs}, GetParam());
    ASSERT_TRUE(back.response().succeeded()) << "call " << i << ": " << back.response().text();
    ASSERT_TRUE(hub.quiet()) << "the answer may come before the handler has returned, which still has its place then";
    helpers.back().join();
  }
}

TEST(Gate, APluginsLimitCountsAllItsServicesTogether) {
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script().limit(3).on("a", held.answer()).limit(2).on("b", held.answer()));
  for (int i = 0; i < 10; ++i) {
    hub.dispatcher().dispatch_async(Message(i % 2 == 0 ? "a" : "b"), outcomes.callback(), {kMaxTimeoutMs});
  }
  ASSERT_TRUE(held.reaches(3));
  held.let_go(10);
  ASSERT_TRUE(outcomes.reach(10));
  EXPECT_EQ(outcomes.ok(), 10);
  EXPECT_EQ(held.most(), 3);
}

TEST(Gate, APlaceIsGivenBackHoweverTheCallEnds) {
  Hub hub;
  hub.add("p", Script()
                   .limit(1, 0)
                   .on("ok", [](Message&, Context&) { return Response::ok(); })
                   .on("throws", [](Message&, Context&) -> Response { throw std::runtime_error("no"); })
                   .on("forbidden", [](Message&, Context&) { return Response::ok(); })
                   .defer("drops", [](Message&, Context& context) { (void)context.reply_handle(); })
                   .authorize_with([](const Message& message) {
                     return message.service_name() == "forbidden" ? forbidden() : authorized();
                   }));
  for (const char* ending : {"throws", "forbidden", "drops", "throws"}) {
    EXPECT_FALSE(hub.call(ending).response().is_error("no_nodes_available")) << ending;
    EXPECT_TRUE(hub.call("ok").response().succeeded()) << "after " << ending;
  }
}

TEST(Gate, ACallThatIsAnsweredLaterKeepsItsPlaceUntilThen) {
  Outcomes outcomes;
  std::promise<ReplyHandle> given;
  Hub hub(wide_pool());
  hub.add("p", Script()
                   .limit(1, 0)
                   .defer("later", [&](Message&, Context& context) { given.set_value(context.reply_handle()); })
                   .on("ok", [](Message&, Context&) { return Response::ok(); }));
  hub.dispatcher().dispatch_async(Message("later"), outcomes.callback(), {kMaxTimeoutMs});
  ReplyHandle handle = given.get_future().get();
  EXPECT_TRUE(hub.call("ok").response().is_error("no_nodes_available"));
  handle.reply(Response::ok());
  ASSERT_TRUE(outcomes.reach(1));
  EXPECT_TRUE(eventually([&] { return hub.call("ok").response().succeeded(); })) << "once its handler has returned";
}

TEST_P(Gates, C_D8_WhoWaitsPastItsDeadlineTimesOutAndIsNeverStarted) {
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script().on("work", held.answer()).limit(1));
  hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  EXPECT_EQ(hub.call(Message("work"), {20}, GetParam()).response().kind(), Response::Kind::service_timeout);
  held.let_go(2);
  ASSERT_TRUE(outcomes.reach(1));
  ASSERT_TRUE(hub.quiet());
  EXPECT_EQ(held.started(), 1);
}

TEST(Gate, WhoHasGivenUpLeavesHisRoomToOthers) {
  Held held;
  Outcomes patient, impatient;
  Hub hub(wide_pool());
  hub.add("p", Script().on("work", held.answer()).limit(1, 2));
  hub.dispatcher().dispatch_async(Message("work"), patient.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  for (int i = 0; i < 2; ++i) hub.dispatcher().dispatch_async(Message("work"), impatient.callback(), {20});
  ASSERT_TRUE(impatient.reach(2));
  for (int i = 0; i < 2; ++i) hub.dispatcher().dispatch_async(Message("work"), patient.callback(), {kMaxTimeoutMs});
  held.let_go(3);
  ASSERT_TRUE(patient.reach(3));
  EXPECT_EQ(patient.ok(), 3);
  EXPECT_EQ(impatient.timed_out(), 2);
  EXPECT_EQ(held.started(), 3);
}

TEST(Gate, C_D14_ACallThatOneInsideWaitsForIsTakenInOnTop) {
  Hub hub(wide_pool());
  const auto pass = [](const char* to) {
    return [to](Message& message, Context& context) {
      const int depth = message.raw_request_as<int>();
      return depth == 0 ? Response::ok(1) : context.call(to, depth - 1, hours(24)).response();
    };
  };
  hub.add("p", Script().limit(1, 0).on("ping", pass("pong")).limit(1, 0).on("self", pass("self")).limit(1, 0));
  hub.add("q", Script().on("pong", pass("ping")));  // has no limit, and hands on what its caller has
  for (const char* service : {"self", "ping"}) {
    const Message back = hub.call(Message::of(service, 5), {kMaxTimeoutMs});
    ASSERT_TRUE(back.response().succeeded()) << service << ": " << back.response().text();
    EXPECT_EQ(back.response().value_as<int>(), 1);
  }
}

TEST(Gate, ANestedCallThatEndsLetsNobodyInBesideItsCaller) {
  Outcomes outcomes;
  std::atomic<bool> other_ran{false};
  std::atomic<bool> too_early{true};
  Hub hub(wide_pool());
  hub.add("p", Script()
                   .limit(1)
                   .on("inner", [](Message&, Context&) { return Response::ok(); })
                   .on("other",
                       [&](Message&, Context&) {
                         other_ran = true;
                         return Response::ok();
                       })
                   .on("outer", [&](Message&, Context& context) {
                     hub.dispatcher().dispatch_async(Message("other"), outcomes.callback(), {kMaxTimeoutMs});
                     EXPECT_TRUE(context.dispatch(Message("inner"), hours(24)).response().succeeded());
                     // Whoever was let in with its place is with the pool now: until that has nothing but this to do.
                     EXPECT_TRUE(eventually([&] {
                       const host::PoolStats stats = hub.pool().stats();
                       return stats.queued == 0 && stats.running == 1;
                     }));
                     too_early = other_ran.load();
                     return Response::ok();
                   }));
  EXPECT_TRUE(hub.call(Message("outer"), {kMaxTimeoutMs}).response().succeeded());
  EXPECT_FALSE(too_early);
  ASSERT_TRUE(outcomes.reach(1));
  EXPECT_EQ(outcomes.ok(), 1);
}

TEST(Gate, C_D6_ANestedCallThatTimedOutKeepsThePlaceUntilItEnds) {
  Held held;
  Hub hub(wide_pool());
  hub.add("p", Script().limit(1, 0).on("inner", held.answer()).on("outer", [](Message&, Context& context) {
    return Response::ok(context.dispatch(Message("inner"), std::chrono::milliseconds(500)).response().kind() ==
                        Response::Kind::service_timeout);
  }));
  EXPECT_TRUE(hub.call(Message("outer"), {kMaxTimeoutMs}).response().value_as<bool>());
  ASSERT_TRUE(held.reaches(1));
  EXPECT_TRUE(hub.call(Message("inner"), {kMaxTimeoutMs}).response().is_error("no_nodes_available"));
  held.let_go(2);
  ASSERT_TRUE(hub.quiet());
  EXPECT_TRUE(hub.call(Message("inner"), {kMaxTimeoutMs}).response().succeeded());
}

// Handlers that wait for each other's services: who would make a circle of it is told so, and the others go on.
class Circle {
 public:
  /// A handler that is inside when all are, and then calls another service, for as long as it has time itself.
  Script::Answer calling(std::string other) {
    return [this, other](Message&, Context& context) {
      all_inside_.arrive_and_wait();
      const Response response = context.dispatch(Message(other), hours(24)).response();
      if (response.is_error("would_block")) ++refused_;
      return Response::ok(response.succeeded());
    };
  }
  explicit Circle(int handlers) : all_inside_(handlers) {}
  int refused() const { return refused_; }

 private:
  std::barrier<> all_inside_;
  std::atomic<int> refused_{0};
};

Script::Answer at_once() {
  return [](Message&, Context&) { return Response::ok(); };
}

TEST_P(Gates, C_D14_TwoPluginsThatCallEachOtherDoNotWaitForEachOther) {
  Circle circle(2);
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("x", Script().limit(1, 100).on("x", circle.calling("y_leaf")).on("x_leaf", at_once()));
  hub.add("y", Script().limit(1, 100).on("y", circle.calling("x_leaf")).on("y_leaf", at_once()));
  hub.dispatcher().dispatch_async(Message("x"), outcomes.callback(), {kMaxTimeoutMs});
  EXPECT_TRUE(hub.call(Message("y"), {kMaxTimeoutMs}, GetParam()).response().succeeded());
  ASSERT_TRUE(outcomes.reach(1));
  EXPECT_EQ(outcomes.ok(), 1);
  EXPECT_EQ(circle.refused(), 1) << "the other one waited, and was let in";
}

TEST(Gate, C_D14_ACircleOfThreeIsNoneEither) {
  Circle circle(3);
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("x", Script().limit(1, 100).on("x", circle.calling("y_leaf")).on("x_leaf", at_once()));
  hub.add("y", Script().limit(1, 100).on("y", circle.calling("z_leaf")).on("y_leaf", at_once()));
  hub.add("z", Script().limit(1, 100).on("z", circle.calling("x_leaf")).on("z_leaf", at_once()));
  for (const char* service : {"x", "y", "z"}) {
    hub.dispatcher().dispatch_async(Message(service), outcomes.callback(), {kMaxTimeoutMs});
  }
  ASSERT_TRUE(outcomes.reach(3));
  EXPECT_EQ(outcomes.ok(), 3);
  EXPECT_EQ(circle.refused(), 1);
}

TEST(Gate, C_D14_ACircleThroughAPluginWithoutLimitsIsNoneEither) {
  Circle circle(2);
  Outcomes outcomes;
  Hub hub(wide_pool());
  const auto through = [](const char* other) {
    return [other](Message&, Context& context) { return context.dispatch(Message(other), hours(24)).response(); };
  };
  hub.add("x", Script().limit(1, 100).on("x", circle.calling("to_y")).on("x_leaf", at_once()));
  hub.add("y", Script().limit(1, 100).on("y", circle.calling("to_x")).on("y_leaf", at_once()));
  hub.add("between", Script().on("to_x", through("x_leaf")).on("to_y", through("y_leaf")));
  for (const char* service : {"x", "y"}) {
    hub.dispatcher().dispatch_async(Message(service), outcomes.callback(), {kMaxTimeoutMs});
  }
  ASSERT_TRUE(outcomes.reach(2));
  EXPECT_EQ(outcomes.ok(), 2);
}

// One that waits for its plugin has the place of its service already, which one inside the plugin may wait for.
TEST(Gate, C_D14_NobodyWaitsForOneThatWaitsForItsPlugin) {
  Outcomes outcomes;
  std::latch inside(1), both(1);
  std::atomic<bool> refused{false};
  Hub hub(wide_pool());
  hub.add("p", Script().limit(1).on("leaf", at_once()).limit(1).on("outer", [&](Message&, Context& context) {
    inside.count_down();
    both.wait();
    refused = context.dispatch(Message("leaf"), hours(24)).response().is_error("would_block");
    return Response::ok();
  }));
  hub.dispatcher().dispatch_async(Message("outer"), outcomes.callback(), {kMaxTimeoutMs});
  inside.wait();
  hub.dispatcher().dispatch_async(Message("leaf"), outcomes.callback(), {kMaxTimeoutMs});
  both.count_down();
  ASSERT_TRUE(outcomes.reach(2));
  EXPECT_EQ(outcomes.ok(), 2);
  EXPECT_TRUE(refused);
}

TEST(Gate, C_D14_OneThatHasAnsweredDoesNotWaitForItself) {
  std::atomic<bool> refused{false};
  Hub hub(wide_pool());
  hub.add("p", Script().limit(1).on("leaf", at_once()).defer("outer", [&](Message&, Context& context) {
    EXPECT_TRUE(context.reply_handle().reply(Response::ok()));
    refused = context.dispatch(Message("leaf"), hours(24)).response().is_error("would_block");
  }));
  EXPECT_TRUE(hub.call(Message("outer"), {kMaxTimeoutMs}).response().succeeded());
  ASSERT_TRUE(hub.quiet());
  EXPECT_TRUE(refused);
}

// Where one of those inside does not wait, a place will come free: nobody is refused.
TEST(Gate, WhoCallsEachOtherWaitsWhereAPlaceWillComeFree) {
  Circle circle(2);
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  host::Instance& x = hub.add(
      "x", Script().limit(2).on("x", circle.calling("y_leaf")).on("x_leaf", at_once()).on("held", held.answer()));
  host::Instance& y = hub.add("y", Script().limit(1).on("y", circle.calling("x_leaf")).on("y_leaf", at_once()));
  hub.dispatcher().dispatch_async(Message("held"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  for (const char* service : {"x", "y"}) {
    hub.dispatcher().dispatch_async(Message(service), outcomes.callback(), {kMaxTimeoutMs});
  }
  ASSERT_TRUE(eventually([&] { return x.calls_inside() == 3 && y.calls_inside() == 2; }));
  held.let_go();
  ASSERT_TRUE(outcomes.reach(3));
  EXPECT_EQ(outcomes.ok(), 3);
  EXPECT_EQ(circle.refused(), 0);
}

TEST(Gate, ACallByAReplyHandleOnAnotherThreadWaitsLikeAnyOther) {
  std::thread helper;
  Held held;
  std::promise<Response> nested;
  std::latch begun(1);
  std::latch asked(1);
  Hub hub(wide_pool());
  hub.add("p", Script().limit(1, 0).on("inner", held.answer()).defer("outer", [&](Message&, Context& context) {
    const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
    helper = std::thread([&, handle] {
      begun.wait();  // its reply ends the call, and then `helper` is joined
      nested.set_value(handle->dispatch(Message("inner"), hours(24)).response());
      asked.count_down();
      handle->reply(Response::ok());
    });
    begun.count_down();
    asked.wait();  // it runs at the same time
  }));
  EXPECT_TRUE(hub.call(Message("outer"), {kMaxTimeoutMs}).response().succeeded());
  EXPECT_TRUE(nested.get_future().get().is_error("would_block")) << "its caller, who waits for it, has the place";
  EXPECT_EQ(held.started(), 0);
  helper.join();
}

TEST(Gate, WhoeverWasCancelledLeavesHisRoomToOthersToo) {
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script().on("work", held.answer()).limit(1, 1));
  hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  auto waiting = hub.dispatcher().dispatch_cancellable(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(waiting.cancel());
  // The line is gone through now and then, not for each that is refused.
  EXPECT_TRUE(eventually([&] {
    const int before = outcomes.refused();
    hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
    return outcomes.refused() == before;
  }));
  held.let_go(2);
  ASSERT_TRUE(eventually([&] { return outcomes.ok() == 2; }));
  EXPECT_EQ(held.started(), 2);
}

TEST(Gate, ALongLineDoesNotKeepWhatNobodyWaitsFor) {
  Held held;
  Outcomes outcomes, impatient;
  Hub hub(wide_pool());
  host::Instance& instance = hub.add("p", Script().on("work", held.answer()).limit(1));
  hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  for (int round = 1; round <= 20; ++round) {
    for (int i = 0; i < 100; ++i) hub.dispatcher().dispatch_async(Message("work"), impatient.callback(), {1});
    ASSERT_TRUE(impatient.reach(100 * round));
  }
  EXPECT_LT(instance.calls_inside(), 1'000u) << "of 2,000 that have timed out";
  held.let_go(1);
  ASSERT_TRUE(outcomes.reach(1));
  ASSERT_TRUE(hub.quiet());
  EXPECT_EQ(held.started(), 1);
}

TEST(Gate, WhoIsRefusedByThePluginsGateGivesTheServicesPlaceBack) {
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script()
                   .limit(1, 0)
                   .on("held", held.answer())
                   .on("work", [](Message&, Context&) { return Response::ok(); })
                   .limit(1, 5));
  hub.dispatcher().dispatch_async(Message("held"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(hub.call("work").response().is_error("no_nodes_available"));
  held.let_go();
  ASSERT_TRUE(outcomes.reach(1));
  EXPECT_TRUE(hub.call("work").response().succeeded());
}

TEST(Gate, WhoIsLetInAndFindsThePoolFullLetsTheNextIn) {
  Held blocked;
  Outcomes outcomes, others;
  std::promise<ReplyHandle> given;
  Hub hub({2, 2, 3, 1000 * kSecond, kSecond, {}});
  hub.add("p", Script()
                   .defer("later", [&](Message&, Context& context) { given.set_value(context.reply_handle()); })
                   .limit(1)
                   .on("block", blocked.answer()));
  hub.dispatcher().dispatch_async(Message("later"), outcomes.callback(), {kMaxTimeoutMs});
  ReplyHandle handle = given.get_future().get();
  ASSERT_TRUE(hub.idle());
  for (int i = 0; i < 3; ++i) hub.dispatcher().dispatch_async(Message("later"), outcomes.callback(), {kMaxTimeoutMs});
  for (int i = 0; i < 2; ++i) hub.dispatcher().dispatch_async(Message("block"), others.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(blocked.reaches(2));
  for (int i = 0; i < 3; ++i) hub.dispatcher().dispatch_async(Message("block"), others.callback(), {kMaxTimeoutMs});
  handle.reply(Response::ok());
  ASSERT_TRUE(outcomes.reach(4));
  EXPECT_EQ(outcomes.ok(), 1);
  EXPECT_EQ(outcomes.refused(), 3);
  blocked.let_go(5);
  ASSERT_TRUE(others.reach(5));
  given = {};
  hub.dispatcher().dispatch_async(Message("later"), outcomes.callback(), {kMaxTimeoutMs});
  given.get_future().get().reply(Response::ok());  // the place is free
  ASSERT_TRUE(outcomes.reach(5));
  EXPECT_EQ(outcomes.ok(), 2);
}

TEST(Gate, ANestedCallThatNobodyWaitsForNeedsAPlaceOfItsOwn) {
  Outcomes outcomes;
  Held held;
  Hub hub(wide_pool());
  hub.add("p", Script().limit(1).on("inner", held.answer()).on("outer", [&](Message&, Context&) {
    hub.dispatcher().dispatch_async(Message("inner"), outcomes.callback(), {kMaxTimeoutMs});
    return Response::ok(held.started());
  }));
  const Message back = hub.call(Message("outer"), {kMaxTimeoutMs});
  EXPECT_EQ(back.response().value_as<int>(), 0);
  held.let_go();
  EXPECT_TRUE(outcomes.reach(1));
}

TEST(Gate, InlineServicesPassBesideThePluginsLimit) {
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script()
                   .limit(1, 0)
                   .on("work", held.answer())
                   .on(
                       "quick", [](Message&, Context&) { return Response::ok(); }, BUSBAR_SERVICE_INLINE));
  hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  EXPECT_TRUE(hub.call("quick").response().succeeded());
  held.let_go();
  ASSERT_TRUE(outcomes.reach(1));
}

TEST(Gate, C_D11_AskingForLeaveTakesAPlaceToo) {
  // A limit of one keeps a router to one thread at a time; `authorize` is the router's code.
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script().limit(1, 0).on("work", held.answer()));
  hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  ASSERT_TRUE(held.reaches(1));
  const auto asked = hub.dispatcher().authorized(Message("work"), {kMaxTimeoutMs});
  EXPECT_EQ(asked.kind, host::AuthorizationAnswer::Kind::failed);
  held.let_go();
  ASSERT_TRUE(outcomes.reach(1));
}

TEST(Gate, ALongLineOfWaitersIsRefusedOneAfterTheOtherWhenThePoolStops) {
  constexpr int kWaiting = 100'000;  // each inside the one before would be more than a stack holds
  Held held;
  Outcomes outcomes;
  Hub hub(wide_pool());
  hub.add("p", Script().on("work", held.answer()).limit(1));
  for (int i = 0; i <= kWaiting; ++i) {
    hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  }
  ASSERT_TRUE(held.reaches(1));
  EXPECT_EQ(hub.pool().stop(host::now_ns()).abandoned, 1u);
  held.let_go();
  ASSERT_TRUE(outcomes.reach(kWaiting + 1));
  EXPECT_EQ(outcomes.ok(), 1);
  EXPECT_EQ(outcomes.unloaded(), kWaiting);
  ASSERT_TRUE(hub.quiet());  // the thread was left behind
}

TEST(Gate, NeverMoreThanThePoolsQueueWait) {
  Held held;
  Outcomes outcomes;
  Hub hub({2, 4, 5, 1000 * kSecond, kSecond, {}});
  hub.add("p", Script().on("work", held.answer()).limit(1));  // without end, says the plugin
  for (int i = 0; i < 10; ++i) {
    hub.dispatcher().dispatch_async(Message("work"), outcomes.callback(), {kMaxTimeoutMs});
  }
  EXPECT_EQ(outcomes.refused(), 4);
  held.let_go(6);
  ASSERT_TRUE(outcomes.reach(10));
}

// Callers of both forms, some of whom give up, at a plugin with limits whose calls nest.
TEST(GateHammer, NeverTooManyRunAndEveryCallEnds) {
  std::atomic<int> inside{0}, most{0}, calls{0};
  const auto counted = [&](auto body) {
    return [&, body](Message& message, Context& context) {
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      const Response response = body(message, context);
      --inside;
      return response;
    };
  };
  Hub hub({4, 32, 1000, host::kMillisecond, kSecond, {}});
  hub.add("p", Script()
                   .limit(3, 20)
                   .on("a", counted([](Message&, Context&) { return Response::ok(); }))
                   .limit(2, 5)
                   .on("c", counted([](Message&, Context&) { return Response::ok(); }))
                   .limit(2, 5));
  hub.add("q", Script().limit(6).on(
                   "b", [](Message&, Context& context) { return context.dispatch(Message("a")).response(); }));
  std::vector<std::thread> callers;
  for (int c = 0; c < 6; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < 300; ++i) {
        const char* service = std::array{"a", "b", "c"}[static_cast<std::size_t>(i + c) % 3];
        if (i % 7 == 0) {
          auto pending = hub.dispatcher().dispatch_cancellable(Message(service), [&](Message&&) { ++calls; });
          if (pending.cancel()) ++calls;
        } else {
          hub.call(Message(service), {i % 11 == 0 ? 1u : 60'000u}, i % 2 == 0 ? Form::blocking : Form::async);
          ++calls;
        }
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_TRUE(eventually([&] { return calls == 1800; }));
  EXPECT_TRUE(hub.quiet());
  EXPECT_LE(most, 3);
  EXPECT_TRUE(hub.call("b").response().succeeded()) << "every place has been given back";
}

}  // namespace
}  // namespace busbar::testing
