// Time, and callers that give up.
#include "remote.hpp"
#include "support/raw_requester.hpp"

namespace busbar::testing {
namespace {

class RemoteDeadline : public RemoteTest {
 protected:
  LinkedHubs net{{"a", "b"}};
};
BUSBAR_BOTH_FORMS(RemoteDeadline);

class Budget : public HereAndThere {};
BUSBAR_HERE_AND_THERE(Budget);

// Seen by when the time would be over: no test waits for that long.
TEST_P(Budget, C_D5_IsFiveSecondsOrWhatTheServiceOrItsCallerSays) {
  using std::chrono::milliseconds;
  std::chrono::steady_clock::time_point deadline;
  const auto tell = [&](Message& m, Context&) {
    deadline = m.deadline().value();
    return Response::ok();
  };
  net.add(provider(), Script().on("plain", tell).on("patient", tell).timeout_ms(70'000));
  const auto expect_budget = [&](const char* service, std::uint32_t asked_for, milliseconds expected) {
    const auto before = std::chrono::steady_clock::now();
    ASSERT_TRUE(call(Message(service), {asked_for}).response().succeeded()) << service;
    const auto after = std::chrono::steady_clock::now();
    // Times are carried in whole microseconds; what it takes to get there does not prolong them.
    EXPECT_GE(deadline, before + expected - milliseconds(1)) << service << " " << asked_for;
    EXPECT_LE(deadline, after + expected) << service << " " << asked_for;
  };
  expect_budget("plain", 0, milliseconds(5'000));
  expect_budget("patient", 0, milliseconds(70'000));
  expect_budget("patient", 60'000, milliseconds(60'000));
  expect_budget("plain", 90'000, milliseconds(90'000));
}

TEST_P(RemoteDeadline, C_D5_EndsWithServiceTimeout) {
  Gate gate;
  net.add("b", Script().on("s", [&](Message&, Context&) {
    gate.pass();
    return Response::ok();
  }));
  Message message("s");
  message.assign("mine", 1);
  const std::string id(message.id());
  const Message back = call(net["a"], std::move(message), {30});
  EXPECT_EQ(back.response().kind(), Response::Kind::service_timeout);
  EXPECT_EQ(back.response().service(), "s");
  EXPECT_EQ(back.response().message_id(), id);
  EXPECT_EQ(back.response().timeout_ms(), 30u);
  EXPECT_EQ(back.assigned<int>("mine"), 1);
  gate.open();
  EXPECT_TRUE(net.quiet());
}

TEST_P(RemoteDeadline, C_D5_TheServicesOwnTimeoutIsThatOfItsRecord) {
  net.add("b", Script().on("s", [](Message&, Context&) { return Response::ok(); }).timeout_ms(25));
  net.link("a", "b").requests.hold();
  EXPECT_EQ(call(net["a"], "s").response().timeout_ms(), 25u);
}

TEST_P(RemoteDeadline, C_D5_TheServicesOwnTimeoutHoldsAlsoWhereTheNodeIsNamed) {
  net.add("b", Script()
                   .on("s", [](Message&, Context&) { return Response::ok(); })
                   .timeout_ms(25)
                   .on(
                       "secret", [](Message&, Context&) { return Response::ok(); }, BUSBAR_SERVICE_PRIVATE)
                   .timeout_ms(25));
  std::atomic<std::uint64_t> remaining_us{0};
  net.link("a", "b").requests.decide([&](const wire::Envelope& e) {
    remaining_us = e.remaining_us;
    return e.service == "s" ? Fate::hold : Fate::pass;
  });
  EXPECT_EQ(call(net["a"], Message("s"), {0, "b"}).response().timeout_ms(), 25u);
  EXPECT_EQ(call(net["a"], Message("s"), {30, "b"}).response().timeout_ms(), 30u);
  // Its record does not have it.
  EXPECT_EQ(call(net["a"], Message("secret"), {0, "b"}).response().kind(), Response::Kind::service_unavailable);
  EXPECT_GT(remaining_us, 30'000u);
  EXPECT_LE(remaining_us, 5'000'000u);
}

TEST_P(RemoteDeadline, C_D6_ALateAnswerReachesNobodyAndIsCounted) {
  std::atomic<int> runs{0};
  net.add("b", Script().on("s", [&](Message&, Context&) { return Response::ok(++runs); }));
  net.link("a", "b").answers.hold();
  Message message("s");
  const Message copy(message);
  // As long as b may need to begin on a busy machine: a call whose time is over is not run.
  EXPECT_EQ(call(net["a"], std::move(message), {500}).response().kind(), Response::Kind::service_timeout);
  EXPECT_TRUE(eventually([&] { return net.link("a", "b").answers.held() == 1; }));
  // The same message once more: the late answer must not be taken for its own.
  net.link("a", "b").requests.hold();
  std::thread later([&] {
    EXPECT_TRUE(eventually([&] { return net.link("a", "b").requests.held() == 1; }));
    net.link("a", "b").answers.release();
    EXPECT_TRUE(eventually([&] { return net["a"].dispatcher().late_answers() == 1; }));
    net.link("a", "b").requests.release();
  });
  EXPECT_EQ(call(net["a"], copy, {600'000}).response().value_as<int>(), 2);
  later.join();
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(net["a"].dispatcher().late_answers(), 1u);
  EXPECT_EQ(net["a"].dispatcher().unasked_answers(), 0u) << "it was asked, and gave it up itself";
}

// Received in time or too late is decided by when it was received, not by who notices first.
TEST_P(RemoteDeadline, C_D5_WhatIsReceivedAfterTheDeadlineIsTooLateThoughNobodyHasNoticed) {
  net.add("b", answering("s", "b"));
  net.link("a", "b").answers.hold();
  constexpr host::Nanos kBudget = 60 * host::kSecond;
  std::vector<std::uint8_t> answer;
  std::thread later([&] {
    EXPECT_TRUE(eventually([&] { return net.link("a", "b").answers.held() == 1; }));
    answer = net.link("a", "b").answers.first_held();
    wire::Bytes rest(answer);
    net["a"].dispatcher().on_envelope(*net.link("a", "b").peer(), wire::read_envelope(rest), host::now_ns() + kBudget);
    EXPECT_EQ(net["a"].dispatcher().late_answers(), 1u);
    net.link("a", "b").answers.release();  // the same in time
  });
  EXPECT_EQ(call(net["a"], Message("s"), {60'000}).response().value_as<std::string>(), "b");
  later.join();
  EXPECT_TRUE(net.quiet());
}

TEST_P(RemoteDeadline, C_D6_ASecondAnswerIsDroppedAndCounted) {
  net.add("b", answering("s", "b"));
  net.link("a", "b").answers.decide([](const wire::Envelope&) { return Fate::twice; });
  for (unsigned i = 1; i <= 20; ++i) {
    EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "b");
    EXPECT_TRUE(eventually([&] { return net["a"].dispatcher().unasked_answers() == i; }));
  }
  EXPECT_TRUE(net.quiet());
}

TEST_P(RemoteDeadline, C_D6_AnswersToNothingAreDropped) {
  net.add("b", answering("s", "b"));
  wire::Envelope answer;
  answer.type = wire::EnvelopeType::answer;
  answer.major = wire::kCallProtocolMajor;
  answer.kind = BUSBAR_RESPONSE_OK;
  unsigned sent = 0;
  for (const std::uint64_t attempt : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{5}, std::uint64_t{1} << 20,
                                      (std::uint64_t{1} << 20) - 1, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    for (const auto type : {wire::EnvelopeType::answer, wire::EnvelopeType::refused, wire::EnvelopeType::document}) {
      answer.attempt = attempt;
      answer.type = type;
      net.link("a", "b").answers.push(encode(answer));
      ++sent;
    }
    answer.type = wire::EnvelopeType::forwarded;
    answer.node = "nowhere";
    net.link("a", "b").answers.push(encode(answer));
    answer.node = {};
  }
  EXPECT_TRUE(eventually([&] { return net["a"].dispatcher().unasked_answers() == sent; }));
  EXPECT_EQ(net["a"].dispatcher().late_answers(), 0u);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(call(net["a"], "s").response().succeeded());
  EXPECT_TRUE(net.quiet());
}

TEST_P(RemoteDeadline, C_D8_TheRemainingTimeTravels) {
  std::atomic<std::int64_t> left{0};
  net.add("b", Script().on("s", [&](Message&, Context& c) {
    left = c.time_left().count();
    return Response::ok();
  }));
  EXPECT_TRUE(call(net["a"], Message("s"), {600'000}).response().succeeded());
  EXPECT_GT(left, 500'000'000);
  EXPECT_LE(left, 600'000'000);
}

TEST_P(RemoteDeadline, C_D8_WhatRanOutWhileItQueuedIsNotStarted) {
  LinkedHubs one({"a", "b"}, {1, 1, 10, host::kMillisecond, host::kSecond, {}});
  Gate gate;
  std::atomic<int> runs{0};
  one.add("b", Script()
                   .on("blocks",
                       [&](Message&, Context&) {
                         gate.pass();
                         return Response::ok();
                       })
                   .on("s", [&](Message&, Context&) {
                     ++runs;
                     return Response::ok();
                   }));
  std::atomic<bool> unblocked{false};
  one["a"].dispatcher().dispatch_async(Message("blocks"), [&](Message&&) { unblocked = true; }, {600'000});
  EXPECT_TRUE(gate.reached());
  EXPECT_EQ(call(one["a"], Message("s"), {20}).response().kind(), Response::Kind::service_timeout);
  EXPECT_TRUE(eventually([&] { return one["b"].pool().stats().queued == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(25));  // what was left when it came is over there, too
  gate.open();
  EXPECT_TRUE(eventually([&] { return unblocked.load(); }));
  EXPECT_TRUE(one.quiet());
  EXPECT_EQ(runs, 0);
}

TEST_P(RemoteDeadline, C_D8_ANestedCallNeverOutlastsItsParent) {
  net.link("b", "a").requests.hold();
  net.add("a", answering("inner", "a"));
  std::atomic<std::int64_t> inner_kind{-1};
  net.add("b", Script().on("outer", [&](Message&, Context& c) {
    const Message back = c.call("inner", 1, std::chrono::milliseconds(600'000));
    inner_kind = static_cast<int>(back.response().kind());
    return Response::ok();
  }));
  // What comes first, the timeout here or there, is not said. One that ran out of time on its way is not started.
  while (inner_kind == -1) {
    call(net["a"], Message("outer"), {40});
    ASSERT_TRUE(net.quiet());
  }
  EXPECT_EQ(inner_kind, static_cast<int>(Response::Kind::service_timeout));
}

TEST_P(RemoteDeadline, C_D8_AHandlerSeesThatItsCallersConnectionIsGone) {
  Gate reached;
  std::atomic<bool> saw{false};
  net.add("b", Script().on("s", [&](Message&, Context& c) {
    EXPECT_FALSE(c.caller_gone());
    std::thread opener([&] { reached.pass(); });
    reached.reached();
    saw = eventually([&] { return c.caller_gone(); });
    opener.join();
    return Response::ok();
  }));
  std::thread cutter([&] {
    EXPECT_TRUE(reached.reached());
    net.link("a", "b").cut();
    reached.open();
  });
  EXPECT_TRUE(call(net["a"], Message("s"), {600'000}).response().is_bad_rpc("nodedown"));
  cutter.join();
  EXPECT_TRUE(net.quiet());
  EXPECT_TRUE(saw);
}

TEST(RemoteCancel, C_D8_AHandlerSeesThatItsCallerHasGivenUp) {
  LinkedHubs net{{"a", "b"}};
  Gate started;
  std::atomic<bool> saw{false};
  net.add("b", Script().on("s", [&](Message&, Context& c) {
    EXPECT_FALSE(c.caller_gone());
    started.open();
    saw = eventually([&] { return c.caller_gone(); });
    return Response::ok();
  }));
  std::atomic<int> called{0};
  auto pending = net["a"].dispatcher().dispatch_cancellable(Message("s"), [&](Message&&) { ++called; }, {600'000});
  started.pass();
  EXPECT_TRUE(pending.cancel());
  EXPECT_FALSE(pending.cancel());
  EXPECT_TRUE(net.quiet());
  EXPECT_TRUE(saw);
  EXPECT_EQ(called, 0);
}

TEST(RemoteCancel, C_D8_IsOfOneCallOnly) {
  LinkedHubs net{{"a", "b"}};
  Gate gate;
  std::atomic<int> gone{0}, there{0};
  net.add("b", Script().on("s", [&](Message&, Context& c) {
    gate.pass();
    ++(c.caller_gone() ? gone : there);
    return Response::ok();
  }));
  std::atomic<int> called{0};
  const auto count = [&](Message&&) { ++called; };
  auto first = net["a"].dispatcher().dispatch_cancellable(Message("s"), count, {600'000});
  auto second = net["a"].dispatcher().dispatch_cancellable(Message("s"), count, {600'000});
  EXPECT_TRUE(gate.reached(2));
  EXPECT_TRUE(first.cancel());
  // A request that is answered has overtaken nothing: the cancellation is there.
  net.add("a", Script());
  net.add("b", answering("other", "x"), "q");
  EXPECT_TRUE(net["a"].call(Message("other"), {600'000}).response().succeeded());
  gate.open();
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(gone, 1);
  EXPECT_EQ(there, 1);
  EXPECT_TRUE(eventually([&] { return called == 1; }));
}

class OnEvent final : public host::Observer {
 public:
  explicit OnEvent(std::function<void()> react) : react_(std::move(react)) {}
  void on_event(const host::Event&) noexcept override { react_(); }

 private:
  const std::function<void()> react_;
};

TEST(RemoteCancel, C_D8_BetweenOneProviderAndTheNext) {
  for (const char* first : {"a", "b"}) {
    LinkedHubs net{{"a", "b", "c"}};
    Gate gate;
    std::atomic<int> runs{0}, called{0}, cancelled{-1};
    for (const char* node : {first, "c"}) {
      net.add(node, Script().on("s", [&](Message&, Context&) {
        ++runs;
        gate.pass();
        return Response::try_another_node("busy");
      }));
    }
    host::PendingCall pending;
    // That the first has answered is told before the next is asked.
    const auto cancel = std::make_shared<OnEvent>([&] { cancelled = pending.cancel() ? 1 : 0; });
    net["a"].events().subscribe(cancel, host::mask_of(host::EventKind::service_responded));
    pending = net["a"].dispatcher().dispatch_cancellable(Message("s"), [&](Message&&) { ++called; }, {600'000});
    gate.open();
    EXPECT_TRUE(eventually([&] { return cancelled != -1; }));
    pending = {};  // a held call is not over
    EXPECT_TRUE(net.quiet());
    net["a"].events().unsubscribe(cancel);
    EXPECT_EQ(cancelled, 1) << first;
    EXPECT_EQ(called, 0) << first;
    EXPECT_EQ(runs, 1) << first;
  }
}

// Its deadline begins to be watched when the handler has returned: that must not get in the way of who goes on with it.
TEST(RemoteGoingOn, C_D4_AnInlineServiceMayRefuseLaterInTheMomentInWhichItsHandlerReturns) {
  LinkedHubs net{{"a", "b"}};
  Gate going_on;
  std::thread answerer;
  net.add("a", Script().defer(
                   "s",
                   [&](Message&, Context& c) {
                     const auto handle = std::make_shared<ReplyHandle>(c.reply_handle());
                     answerer = std::thread([handle] { handle->reply(Response::try_another_node("later")); });
                     EXPECT_TRUE(going_on.reached());
                   },
                   BUSBAR_SERVICE_INLINE));
  net.add("b", answering("s", "b"));
  const auto hold = std::make_shared<OnEvent>([&] { going_on.pass(); });
  net["a"].events().subscribe(hold, host::mask_of(host::EventKind::service_responded));
  std::atomic<int> served{0}, failed{0};
  net["a"].dispatcher().dispatch_async(
      Message("s"), [&](Message&& outcome) { ++(outcome.response().succeeded() ? served : failed); }, {600'000});
  going_on.open();
  EXPECT_TRUE(eventually([&] { return served + failed == 1; })) << "it waits for its deadline";
  EXPECT_EQ(served, 1);
  answerer.join();
  EXPECT_TRUE(net.quiet());
  net["a"].events().unsubscribe(hold);
}

TEST(RemoteCancel, C_R6_C_D8_ReachesTheNodeThatWasChosen) {
  LinkedHubs net{{"a", "b", "c"}};
  Gate started;
  std::atomic<bool> saw{false};
  const auto placed = [&] {
    return Script()
        .on("s",
            [&](Message&, Context& c) {
              started.open();
              saw = eventually([&] { return c.caller_gone(); });
              return Response::ok();
            })
        .choose_with([](const Message&) { return std::string("c"); });
  };
  net.add("b", placed());
  net.add("c", placed());
  auto pending = net["a"].dispatcher().dispatch_cancellable(Message("s"), [](Message&&) {}, {600'000, "b"});
  started.pass();
  EXPECT_TRUE(eventually([&] { return net.link("a", "b").peer()->under_way() == 0; }));
  // All hubs share the process's calls: that c sees it is not enough.
  std::atomic<int> told{0};
  net.link("a", "c").requests.decide([&](const wire::Envelope& e) {
    if (e.type == wire::EnvelopeType::cancel) ++told;
    return Fate::pass;
  });
  EXPECT_TRUE(pending.cancel());
  EXPECT_TRUE(net.quiet());
  EXPECT_TRUE(saw);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace busbar::testing
