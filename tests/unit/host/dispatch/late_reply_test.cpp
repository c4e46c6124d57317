// Answers that are given just after the deadline, before anybody has noticed that it is over.
#include <gtest/gtest.h>

#include <thread>

#include "support/answerer.hpp"
#include "support/raw_requester.hpp"

namespace busbar::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

constexpr int kRounds = 200;
constexpr int kFewRounds = 25;  // of what goes the same way

/// Keeps its thread busy until the call's time is over, and then as long again.
template <class Holder>
void spin_past(const Holder& call, microseconds late) {
  while (call.time_left().count() != 0) {
  }
  const auto until = steady_clock::now() + late;
  while (steady_clock::now() < until) {
  }
}

/// How late: when the time is over, and so much after that.
class LateReplies : public ::testing::TestWithParam<std::tuple<Form, int>> {
 protected:
  static microseconds late() { return microseconds(std::get<1>(GetParam())); }
  // The thread that answers has let go of what it was given.
  void TearDown() override { EXPECT_TRUE(hub.quiet()); }

  /// So many calls whose answer comes too late. One whose time is over before it is started counts as none.
  void expect_timeouts(const char* service, int rounds) {
    for (answered = 0; answered < rounds;) {
      const Message message(service);
      const Message back = hub.call(message, {2}, std::get<0>(GetParam()));
      ASSERT_EQ(back.response().kind(), Response::Kind::service_timeout) << "after " << answered << " of " << rounds;
      ASSERT_EQ(back.response().service(), service);
      ASSERT_EQ(back.response().message_id(), message.id());
      ASSERT_EQ(back.response().timeout_ms(), 2u);
      ASSERT_FALSE(back.assigned<int>("mine")) << "what was assigned too late comes back no more than the answer";
      ASSERT_TRUE(hub.quiet());
    }
  }

  std::atomic<int> answered{0};
  Hub hub;
  Answerer answerer;
};
INSTANTIATE_TEST_SUITE_P(All, LateReplies,
                         ::testing::Combine(::testing::Values(Form::blocking, Form::async),
                                            ::testing::Values(0, 50, 200)),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) == Form::blocking ? "Blocking" : "Async") +
                                  std::to_string(std::get<1>(tested.param)) + "Microseconds";
                         });

TEST_P(LateReplies, C_D5_C_D6_OfTheHandlerItselfAreAlwaysTimeouts200Of200) {
  hub.add("p", Script().on("late", [&](Message& message, Context& context) {
    spin_past(context, late());
    ++answered;
    message.assign("mine", 1);
    return Response::ok(1);
  }));
  expect_timeouts("late", kRounds);
}

TEST_P(LateReplies, C_D13_OfAnotherThreadAreAlwaysTimeouts200Of200) {
  const auto answer_later = [&](Message&, Context& context) {
    const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
    answerer.later([this, handle] {
      spin_past(*handle, late());
      ++answered;
      EXPECT_TRUE(handle->reply(Response::ok(1))) << "taken and discarded, not refused";
    });
  };
  hub.add("p", Script().defer("pooled", answer_later).defer("inlined", answer_later, BUSBAR_SERVICE_INLINE));
  expect_timeouts("pooled", kRounds);
  expect_timeouts("inlined", kRounds);  // C-D17: no timeout holds while it runs, but it runs no more
}

TEST_P(LateReplies, C_D5_AreTimeoutsWhateverTheyAre) {
  hub.add("p", Script()
                   .on("throws",
                       [&](Message&, Context& context) -> Response {
                         spin_past(context, late());
                         ++answered;
                         throw std::runtime_error("too late to say so");
                       })
                   .defer("drops", [&](Message&, Context& context) {
                     const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
                     answerer.later([this, handle] {
                       spin_past(*handle, late());
                       ++answered;
                     });
                   }));
  expect_timeouts("throws", kFewRounds);
  expect_timeouts("drops", kFewRounds);
}

TEST_P(LateReplies, C_D5_C_R3_OfAuthorizeAreTimeoutsToo) {
  const auto too_late = [&](const Message& message) {
    while (steady_clock::now() <= message.deadline().value() + microseconds(1) + late()) {
    }
    ++answered;
    return message.service_name() == "forbidden" ? forbidden() : refused("closed");
  };
  const auto never = [](Message&, Context&) { return Response::ok(); };
  hub.add("p", Script().on("forbidden", never).on("refused", never).authorize_with(too_late));
  expect_timeouts("forbidden", kFewRounds);
  expect_timeouts("refused", kFewRounds);
}

// A nested call's time is its caller's.
TEST_P(LateReplies, C_D13_OfANestedCallAreAlwaysTimeouts200Of200) {
  std::atomic<int> in_time{0};
  hub.add("p", Script()
                   .on("late",
                       [&](Message&, Context& context) {
                         spin_past(context, late());
                         ++answered;
                         return Response::ok(1);
                       })
                   .on("outer", [&](Message&, Context& context) {
                     const Message back = context.dispatch(Message("late"), std::chrono::milliseconds(2));
                     if (back.response().kind() != Response::Kind::service_timeout) ++in_time;
                     return Response::ok();
                   }));
  while (answered < kRounds) {
    ASSERT_TRUE(hub.call(Message("outer"), {kMaxTimeoutMs}, std::get<0>(GetParam())).response().succeeded());
    ASSERT_TRUE(hub.quiet());
  }
  EXPECT_EQ(in_time, 0);
}

// Their own node decides by when it receives the answer; what it is told is true all the same.
TEST_P(LateReplies, C_D5_ToAnotherNodeSaySo) {
  hub.add("p", Script().on("late", [&](Message&, Context& context) {
    spin_past(context, late());
    ++answered;
    return Response::ok(1);
  }));
  const auto other = std::make_shared<RawRequester>(wire::Role::node, "other");
  for (std::uint64_t attempt = 1; answered < kFewRounds; ++attempt) {
    ask(hub, other, request_for(Message("late"), attempt, 2'000));
    const Response response = other->wait_for(attempt).response;
    ASSERT_EQ(response.kind(), Response::Kind::service_timeout) << "after " << answered << " of " << kFewRounds;
    ASSERT_EQ(response.timeout_ms(), 2u);
    ASSERT_TRUE(hub.quiet());
  }
}

}  // namespace
}  // namespace busbar::testing
