// Time: timeouts, budgets that are inherited, and calls that ran out of it before they began.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Deadline : public ::testing::TestWithParam<Form> {
 protected:
  Message call(Message message, host::DispatchOptions options = {}) {
    return hub.call(std::move(message), options, GetParam());
  }
  /// What a service without any work sees of its time, in milliseconds.
  static Response time_left(Message&, Context& context) {
    return Response::ok(std::chrono::duration_cast<milliseconds>(context.time_left()).count());
  }
  Hub hub;
};
INSTANTIATE_TEST_SUITE_P(BothForms, Deadline, ::testing::Values(Form::blocking, Form::async),
                         [](const auto& tested) { return tested.param == Form::blocking ? "Blocking" : "Async"; });

// Seen by when the time would be over: no test waits for that long.
TEST_P(Deadline, C_D5_IsFiveSecondsUnlessTheCallerOrTheServiceSaysOtherwise) {
  std::chrono::steady_clock::time_point deadline;
  const auto tell = [&](Message& message, Context&) {
    deadline = message.deadline().value();
    return Response::ok();
  };
  hub.add("p", Script().on("plain", tell).on("patient", tell).timeout_ms(3'600'000));
  const auto expect_budget = [&](const char* service, std::uint32_t asked_for, milliseconds expected) {
    const auto before = std::chrono::steady_clock::now();
    ASSERT_TRUE(call(Message(service), {asked_for}).response().succeeded()) << service;
    const auto after = std::chrono::steady_clock::now();
    EXPECT_GE(deadline, before + expected - milliseconds(1)) << service << " " << asked_for;
    EXPECT_LE(deadline, after + expected) << service << " " << asked_for;
  };
  expect_budget("plain", 0, seconds(5));
  expect_budget("patient", 0, hours(1));
  expect_budget("patient", 4000, seconds(4));  // the caller's word goes before the service's
  expect_budget("plain", 60'000, seconds(60));
  expect_budget("plain", 0xffffffff, hours(24));  // nothing is infinite
}

TEST_P(Deadline, C_D5_AnswersServiceTimeoutWithServiceIdAndTimeout) {
  std::latch let_go(1);
  hub.add("p", Script().on("slow", [&](Message&, Context&) {
    let_go.wait();
    return Response::ok();
  }));
  const Message message("slow");
  const Message back = call(message, {7});
  ASSERT_EQ(back.response().kind(), Response::Kind::service_timeout);
  EXPECT_EQ(back.response().service(), "slow");
  EXPECT_EQ(back.response().message_id(), message.id());
  EXPECT_EQ(back.response().timeout_ms(), 7u);
  let_go.count_down();
  EXPECT_TRUE(hub.quiet());
}

TEST_P(Deadline, C_D6_TheHandlerRunsToItsEndAndItsLateReplyIsDiscarded) {
  std::promise<void> timed_out;
  std::promise<bool> seen;
  hub.add("p", Script().on("slow", [&, expired = timed_out.get_future().share()](Message&, Context& context) {
    expired.wait();
    seen.set_value(context.caller_gone());
    return Response::ok(std::string("late"));
  }));
  // Until one is started in its time.
  std::future<bool> ended = seen.get_future();
  const Message back = call(Message("slow"), {500});
  EXPECT_EQ(back.response().kind(), Response::Kind::service_timeout);
  timed_out.set_value();
  EXPECT_TRUE(ended.get()) << "C-D8: a handler can ask whether its caller is gone";
  EXPECT_TRUE(hub.quiet());
}

TEST_P(Deadline, C_D8_ANestedCallNeverOutlastsItsParentHoweverItIsMade) {
  // Through the context, through the router's own host, and through a message that was caused by the parent's.
  class Outer final : public Router {
   public:
    Outer() {
      service("by_context", &Outer::by_context);
      service("by_router", &Outer::by_router);
      service("by_caused", &Outer::by_caused);
      service("by_async", &Outer::by_async);
    }
    Authorization authorize(const Message&) override { return authorized(); }

   private:
    std::int64_t by_context(Context& context) {
      return context.dispatch(Message("inner"), hours(1)).response().value_as<std::int64_t>();
    }
    std::int64_t by_router() { return host().dispatch(Message("inner"), hours(1)).response().value_as<std::int64_t>(); }
    std::int64_t by_caused(Message& message, Context&) {
      // On a thread that knows nothing of the call: the message itself carries the deadline.
      std::int64_t left = 0;
      std::thread([&] {
        left = host().dispatch(Message::caused_by(message, "inner"), hours(1)).response().value_as<std::int64_t>();
      }).join();
      return left;
    }
    std::int64_t by_async(Context& context) {
      std::promise<std::int64_t> left;
      context.dispatch_async(
          Message("inner"), [&](Message back) { left.set_value(back.response().value_as<std::int64_t>()); }, hours(1));
      return left.get_future().get();
    }
  };
  hub.add<Outer>("outer");
  hub.add("inner", Script().on("inner", time_left));
  for (const auto* service : {"by_context", "by_router", "by_caused", "by_async"}) {
    const Message back = call(Message(service), {20'000});
    ASSERT_TRUE(back.response().succeeded()) << service << ": " << back.response().text();
    EXPECT_LE(back.response().value_as<std::int64_t>(), 20'000) << service;
    EXPECT_GT(back.response().value_as<std::int64_t>(), 0) << service;
  }
}

TEST_P(Deadline, C_D8_ANestedCallThatWaitsTimesOutWithItsParent) {
  std::latch let_go(1), told(1);
  std::promise<Response::Kind> inner;
  hub.add("p", Script()
                   .on("never",
                       [&](Message&, Context&) {
                         let_go.wait();
                         return Response::ok();
                       })
                   .on("outer", [&](Message&, Context& context) {
                     inner.set_value(context.dispatch(Message("never"), hours(24)).response().kind());
                     told.wait();  // both are over at the same moment: the answer must not overtake it
                     return Response::ok();
                   }));
  std::future<Response::Kind> seen = inner.get_future();
  EXPECT_EQ(call(Message("outer"), {300}).response().kind(), Response::Kind::service_timeout);
  told.count_down();
  EXPECT_EQ(seen.get(), Response::Kind::service_timeout);
  let_go.count_down();
  EXPECT_TRUE(hub.quiet());
}

TEST_P(Deadline, C_D8_ACallWhoseTimeRanOutInTheQueueIsNotStarted) {
  std::latch let_go(1);
  std::promise<void> busy;
  std::atomic<int> started{0};
  Hub one({1, 1, 10, host::kSecond, host::kSecond, {}});
  one.add("p", Script()
                   .on("hold",
                       [&](Message&, Context&) {
                         busy.set_value();
                         let_go.wait();
                         return Response::ok();
                       })
                   .on("work", [&](Message&, Context&) {
                     ++started;
                     return Response::ok();
                   }));
  std::promise<void> done;
  one.dispatcher().dispatch_async(Message("hold"), [&](Message&&) { done.set_value(); }, {kMaxTimeoutMs});
  busy.get_future().wait();
  const Message back = one.call(Message("work"), {2}, GetParam());
  EXPECT_EQ(back.response().kind(), Response::Kind::service_timeout);
  let_go.count_down();
  done.get_future().wait();
  ASSERT_TRUE(one.quiet());
  EXPECT_EQ(started, 0);
}

TEST_P(Deadline, C_D8_AMessageWhoseDeadlineIsOverIsNotStarted) {
  std::atomic<int> started{0};
  hub.add("p", Script().on("work", [&](Message&, Context&) {
    ++started;
    return Response::ok();
  }));
  Message message("work");
  message.with_deadline_us(1);  // long ago
  EXPECT_EQ(call(message, {kMaxTimeoutMs}).response().kind(), Response::Kind::service_timeout);
  ASSERT_TRUE(hub.quiet());
  EXPECT_EQ(started, 0);
}

TEST_P(Deadline, ATimeoutIsReportedAsTheTimeThatThereWas) {
  std::latch let_go(1);
  std::promise<Response> inner;
  hub.add("p", Script()
                   .on("never",
                       [&](Message&, Context&) {
                         let_go.wait();
                         return Response::ok();
                       })
                   .on("outer", [&](Message&, Context& context) {
                     inner.set_value(context.dispatch(Message("never"), hours(24)).response());
                     return Response::ok();
                   }));
  auto seen = inner.get_future();
  call(Message("outer"), {200});
  const Response response = seen.get();
  EXPECT_GE(response.timeout_ms(), 1u);
  EXPECT_LE(response.timeout_ms(), 200u) << "what the parent had left, not what was asked for";
  let_go.count_down();
  EXPECT_TRUE(hub.quiet());
}

TEST(SdkTimeout, IsNeverWrappedAround) {
  Hub hub;
  std::vector<std::int64_t> left;
  hub.add("p", Script()
                   .on("inner",
                       [](Message&, Context& context) {
                         return Response::ok(std::chrono::duration_cast<milliseconds>(context.time_left()).count());
                       })
                   .on("outer",
                       [&](Message&, Context& context) {
                         // 2^32 ms and a bit would be a few milliseconds if it were cut off.
                         const Message back = context.dispatch(Message("inner"), milliseconds((1LL << 32) + 5));
                         return back.response();
                       })
                   .on("spent", [&](Message&, Context& context) {
                     return context.dispatch(Message("inner"), milliseconds(-5)).response();
                   }));
  const Message back = hub.call(Message("outer"), {60'000});
  ASSERT_TRUE(back.response().succeeded());
  EXPECT_GT(back.response().value_as<std::int64_t>(), 10'000);
  const Message spent = hub.call(Message("spent"), {60'000});
  // A time that is over is no reason to wait for the longest there is.
  if (!spent.response().succeeded()) return;
  EXPECT_LE(spent.response().value_as<std::int64_t>(), 5);
}

}  // namespace
}  // namespace busbar::testing
