// Answers that come later, from elsewhere, twice, or never.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <thread>

#include "support/answerer.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

class Replies : public ::testing::TestWithParam<std::tuple<Form, bool>> {
 protected:
  static std::uint32_t flags() { return std::get<1>(GetParam()) ? BUSBAR_SERVICE_INLINE : 0; }
  Message call(Message message, host::DispatchOptions options = {}) {
    Message back = hub.call(std::move(message), options, std::get<0>(GetParam()));
    EXPECT_TRUE(hub.idle());  // the answer may be here before the handler has returned
    return back;
  }
  // Handles are let go by those who hold them, after they have answered.
  void TearDown() override { EXPECT_TRUE(hub.quiet()); }

  Hub hub;
  Answerer answerer;
};
INSTANTIATE_TEST_SUITE_P(All, Replies,
                         ::testing::Combine(::testing::Values(Form::blocking, Form::async), ::testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) == Form::blocking ? "Blocking" : "Async") +
                                  (std::get<1>(tested.param) ? "Inline" : "Pooled");
                         });

TEST_P(Replies, C_D13_FromAnotherThreadInTimeAreAlwaysReceived500Of500) {
  hub.add("p", Script().defer(
                   "later",
                   [&](Message& message, Context& context) {
                     answerer.answer(context.reply_handle(), Response::ok(message.raw_request_as<int>() + 1));
                   },
                   flags()));
  for (int i = 0; i < 500; ++i) {
    const Message back = call(Message::of("later", i), {kMaxTimeoutMs});
    ASSERT_EQ(back.response().kind(), Response::Kind::ok) << i << " " << back.response().text();
    ASSERT_EQ(back.response().value_as<int>(), i + 1);
  }
}

TEST_P(Replies, C_D13_FromAnotherThreadTooLateAreAlwaysTimeouts200Of200) {
  std::mutex mutex;
  std::optional<std::promise<void>> timed_out;  // of the call under way
  hub.add("p", Script().defer(
                   "late",
                   [&](Message&, Context& context) {
                     const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                     std::shared_future<void> expired;
                     {
                       const std::lock_guard lock(mutex);
                       expired = timed_out->get_future().share();
                     }
                     answerer.later([handle, expired] {
                       expired.wait();
                       EXPECT_TRUE(handle->caller_gone());
                       EXPECT_EQ(handle->time_left().count(), 0);
                       EXPECT_TRUE(handle->reply(Response::ok(1))) << "too late is taken and discarded, not refused";
                       EXPECT_FALSE(handle->reply(Response::ok(2)));
                     });
                   },
                   flags()));
  for (int i = 0; i < 200; ++i) {
    {
      const std::lock_guard lock(mutex);
      timed_out.emplace();
    }
    const Message message = Message::of("late", i);
    const Message back = call(message, {1});
    ASSERT_EQ(back.response().kind(), Response::Kind::service_timeout) << i;
    EXPECT_EQ(back.response().service(), "late");
    EXPECT_EQ(back.response().message_id(), message.id());
    EXPECT_EQ(back.response().timeout_ms(), 1u);
    timed_out->set_value();
    // A call that ran out of time in the queue is not started; then there is nobody to wait for.
    ASSERT_TRUE(hub.quiet());
  }
}

TEST_P(Replies, C_R4_ASecondAnswerIsRefusedAndNotSent) {
  std::optional<ReplyHandle> first, second;
  hub.add("p", Script().defer(
                   "twice",
                   [&](Message&, Context& context) {
                     first.emplace(context.reply_handle());
                     second.emplace(context.reply_handle());
                     EXPECT_TRUE(second->reply(Response::ok(1)));
                     EXPECT_FALSE(first->reply(Response::ok(2)));
                     EXPECT_FALSE(second->reply(Response::ok(3)));
                   },
                   flags()));
  const Message back = call(Message("twice"));
  EXPECT_EQ(back.response().value_as<int>(), 1);
  EXPECT_FALSE(first->reply(Response::ok(4)));
  first.reset();
  second.reset();
}

TEST_P(Replies, C_R4_OfManyThreadsThatAnswerAtOnceExactlyOneIsTaken) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::atomic<int> taken{0}, winner{-1};
  hub.add("p", Script().defer(
                   "race",
                   [&](Message&, Context& context) {
                     const auto start = std::make_shared<std::latch>(kThreads);
                     for (int i = 0; i < kThreads; ++i) {
                       const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                       threads.emplace_back([&, start, handle, i] {
                         start->arrive_and_wait();
                         if (!handle->reply(Response::ok(i))) return;
                         ++taken;
                         winner = i;
                       });
                     }
                   },
                   flags()));
  for (int round = 0; round < 50; ++round) {
    taken = 0;
    const Message back = call(Message("race"), {kMaxTimeoutMs});
    for (auto& thread : threads) thread.join();
    threads.clear();
    ASSERT_EQ(taken, 1);
    ASSERT_EQ(back.response().value_as<int>(), winner);
  }
}

TEST_P(Replies, C_R4_ADroppedHandleAnswersAtOnceInTheHandler) {
  hub.add("p", Script().defer(
                   "drop", [](Message&, Context& context) { context.reply_handle(); }, flags()));
  const Message back = call(Message("drop"), {kMaxTimeoutMs});
  EXPECT_TRUE(back.response().is_bad_rpc("bad_return"));
  EXPECT_EQ(back.response().text(), "reply dropped");
}

TEST_P(Replies, C_R4_NoReplyWithoutAHandleAnswersAtOnce) {
  hub.add("p", Script().defer(
                   "forget", [](Message&, Context&) {}, flags()));
  EXPECT_EQ(call(Message("forget"), {kMaxTimeoutMs}).response().text(), "reply dropped");
}

TEST_P(Replies, C_R4_ADroppedHandleAnswersAtOnceFromAnyThread) {
  hub.add("p", Script().defer(
                   "drop",
                   [&](Message&, Context& context) {
                     answerer.later([handle = std::make_shared<ReplyHandle>(context.reply_handle())] {});
                   },
                   flags()));
  for (int i = 0; i < 100; ++i) {
    const Message back = call(Message("drop"), {kMaxTimeoutMs});
    ASSERT_TRUE(back.response().is_bad_rpc("bad_return"));
    ASSERT_EQ(back.response().text(), "reply dropped");
  }
}

TEST_P(Replies, C_R4_TheLastOfSeveralHandlesDecides) {
  hub.add("p", Script().defer(
                   "two",
                   [&](Message&, Context& context) {
                     { const ReplyHandle dropped = context.reply_handle(); }
                     const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                     answerer.later([handle] { ReplyHandle(std::move(*handle)).reply(Response::ok(1)); });
                   },
                   flags()));
  EXPECT_TRUE(call(Message("two"), {kMaxTimeoutMs}).response().succeeded());
}

TEST_P(Replies, C_R4_AnswersAtOnceWhenTheHandlerThrowsThoughSomebodyHoldsAHandle) {
  std::unique_ptr<ReplyHandle> held;
  hub.add("p", Script().defer(
                   "throws",
                   [&](Message&, Context& context) {
                     held = std::make_unique<ReplyHandle>(context.reply_handle());
                     throw std::runtime_error("after all");
                   },
                   flags()));
  EXPECT_TRUE(call(Message("throws"), {kMaxTimeoutMs}).response().is_bad_rpc("exit"));
  EXPECT_FALSE(held->reply(Response::ok())) << "the call has had its answer";
  held.reset();
}

TEST_P(Replies, CarryAssignsAndEventsOfAMessageThatWasKept) {
  hub.add("p", Script().defer(
                   "kept",
                   [&](Message& message, Context& context) {
                     // A copy owns everything: the message itself is gone when the handler has returned.
                     const auto copy = std::make_shared<Message>(message);
                     const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                     answerer.later([copy, handle] {
                       copy->assign("late", std::string(100, 'x')).add_event(1).add_event(2).ok(copy->raw_request());
                       EXPECT_TRUE(handle->reply(*copy));
                     });
                   },
                   flags()));
  const Message back = call(Message::of("kept", std::string(200, 'r')).with_dry_run(DryRun::verbose));
  EXPECT_EQ(back.assigned<std::string>("late"), std::string(100, 'x'));
  EXPECT_EQ(back.events_json().size(), 2u);
  EXPECT_EQ(back.response().value_as<std::string>(), std::string(200, 'r'));
}

TEST_P(Replies, C_D6_LateOnesReachNoLaterCallAlsoNotOfTheSameMessage) {
  std::vector<ReplyHandle> handles;
  std::mutex mutex;
  hub.add("p", Script().defer(
                   "keep",
                   [&](Message&, Context& context) {
                     const std::lock_guard lock(mutex);
                     handles.push_back(context.reply_handle());
                   },
                   flags()));
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return handles.size();
  };
  const Message message = Message::of("keep", 1);
  // The first call times out, and its handle is kept.
  std::size_t known = 0;
  while (known == 0) {  // a call that is starved until its time is out is not started
    ASSERT_EQ(call(message, {2}).response().kind(), Response::Kind::service_timeout);
    known = count();
  }
  for (int round = 0; round < 50; ++round) {
    // The same message again: while it is under way, the earlier call is answered late.
    const auto outcome = std::make_shared<std::promise<Message>>();
    auto pending = hub.dispatcher().dispatch_cancellable(
        message, [outcome](Message&& m) { outcome->set_value(std::move(m)); }, {kMaxTimeoutMs});
    ASSERT_TRUE(eventually([&] { return count() == known + 1; }));
    {
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(handles[0].reply(Response::ok(std::string("late"))));
      EXPECT_TRUE(handles[1].reply(Response::ok(round)));
      handles.erase(handles.begin(), handles.begin() + 2);
    }
    const Message back = outcome->get_future().get();
    ASSERT_EQ(back.response().value().to_json(), round) << "a late reply reached a later call";
    // And one more that times out, for the next round.
    known = 0;
    while (known == 0) {
      ASSERT_EQ(call(message, {2}).response().kind(), Response::Kind::service_timeout);
      known = count();
    }
  }
  const std::lock_guard lock(mutex);
  handles.clear();
}

TEST_P(Replies, CanDispatchFromTheHandleThatIsStillHeld) {
  hub.add("p", Script()
                   .on("inner", [](Message& m, Context&) { return Response::ok(m.raw_request_as<int>() * 2); })
                   .defer(
                       "outer",
                       [&](Message& message, Context& context) {
                         const auto copy = std::make_shared<Message>(message);
                         const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                         answerer.later([copy, handle] {
                           const Message inner = handle->dispatch(Message::caused_by(*copy, "inner", 21));
                           handle->reply(inner.response());
                         });
                       },
                       flags()));
  EXPECT_EQ(call(Message("outer")).response().value_as<int>(), 42);
}

// -------------------------------------------------------------------------------------------------------- cancelling

TEST(Cancel, TellsTheHandlerThatItsCallerIsGoneAndNeverCallsBack) {
  std::promise<void> started;
  std::latch cancelled(1);
  std::promise<bool> seen;
  Hub hub;
  hub.add("p", Script().on("work", [&](Message&, Context& context) {
    EXPECT_FALSE(context.caller_gone());
    started.set_value();
    cancelled.wait();
    seen.set_value(context.caller_gone());
    return Response::ok();
  }));
  auto pending = hub.dispatcher().dispatch_cancellable(
      Message("work"), [](Message&&) { ADD_FAILURE() << "called back after it was cancelled"; }, {kMaxTimeoutMs});
  started.get_future().wait();
  EXPECT_TRUE(pending.cancel());
  EXPECT_FALSE(pending.cancel()) << "it has been given up already";
  cancelled.count_down();
  EXPECT_TRUE(seen.get_future().get());
  pending = {};
  EXPECT_TRUE(hub.quiet());
}

TEST(Cancel, DoesNothingOnceTheAnswerCame) {
  Hub hub;
  hub.add("p", Script().on("work", [](Message&, Context&) { return Response::ok(); }));
  std::promise<void> done;
  auto pending = hub.dispatcher().dispatch_cancellable(Message("work"), [&](Message&&) { done.set_value(); });
  done.get_future().wait();
  EXPECT_FALSE(pending.cancel());
}

TEST(Cancel, ACallThatWasNeverStartedIsNotStartedAnyMore) {
  std::latch held(1);
  std::promise<void> busy;
  std::atomic<bool> ran{false};
  Hub hub({1, 1, 10, host::kSecond, host::kSecond, {}});
  hub.add("p", Script()
                   .on("hold",
                       [&](Message&, Context&) {
                         busy.set_value();
                         held.wait();
                         return Response::ok();
                       })
                   .on("work", [&](Message&, Context&) {
                     ran = true;
                     return Response::ok();
                   }));
  std::promise<void> done;
  hub.dispatcher().dispatch_async(Message("hold"), [&](Message&&) { done.set_value(); });
  busy.get_future().wait();
  auto pending = hub.dispatcher().dispatch_cancellable(
      Message("work"), [](Message&&) { ADD_FAILURE() << "called back after it was cancelled"; });
  EXPECT_TRUE(pending.cancel());
  held.count_down();
  done.get_future().wait();
  pending = {};
  ASSERT_TRUE(hub.quiet());
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace busbar::testing
