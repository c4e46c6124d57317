// What the events of a dispatch tell, and when there are none. Their order: remote/events_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <thread>

#include "support/event_log.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

class DispatchEvents : public ::testing::TestWithParam<std::tuple<Form, bool>> {
 protected:
  // Not of slow runs: under a sanitizer on a busy machine any run may be one.
  DispatchEvents() { hub.events().subscribe(log, ~host::mask_of(host::EventKind::inline_service_too_slow)); }
  static std::uint32_t flags() { return std::get<1>(GetParam()) ? BUSBAR_SERVICE_INLINE : 0; }
  Message call(Message message, host::DispatchOptions options = {}) {
    return hub.call(std::move(message), options, std::get<0>(GetParam()));
  }
  Hub hub;
  std::shared_ptr<EventLog> log = std::make_shared<EventLog>();
};
INSTANTIATE_TEST_SUITE_P(All, DispatchEvents,
                         ::testing::Combine(::testing::Values(Form::blocking, Form::async), ::testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) == Form::blocking ? "Blocking" : "Async") +
                                  (std::get<1>(tested.param) ? "Inline" : "Pooled");
                         });

TEST_P(DispatchEvents, TellTheVisibility) {
  CRouter router(
      "hidden", [](busbar_call*, const busbar_message*) { return BUSBAR_REPLIED; }, BUSBAR_SERVICE_PRIVATE | flags());
  hub.add("c", router);
  call(Message("hidden"));
  const auto all = log->entries();
  const auto received = std::find_if(all.begin(), all.end(),
                                     [](const auto& e) { return e.kind == host::EventKind::service_request_received; });
  ASSERT_NE(received, all.end());
  EXPECT_FALSE(received->is_public);
}

TEST_P(DispatchEvents, TellTheResponseOfACallThatTimedOut) {
  if (std::get<1>(GetParam())) GTEST_SKIP() << "no timeout holds while an inline service runs";
  std::latch let_go(1);
  hub.add("p", Script().on("slow", [&](Message&, Context&) {
    let_go.wait();
    return Response::ok();
  }));
  call(Message("slow"), {3});
  EXPECT_EQ(log->count(host::EventKind::service_responded), 1u);
  let_go.count_down();
  ASSERT_TRUE(hub.quiet());
  EXPECT_EQ(log->count(host::EventKind::service_responded), 1u) << "its late reply is no second response";
}

TEST_P(DispatchEvents, TellTheResponseOfACallThatIsAnsweredLater) {
  // Shared: the handler may still be inside set_value when the answer has come and this test is over.
  const auto handed = std::make_shared<std::promise<std::shared_ptr<ReplyHandle>>>();
  std::thread helper([taken = handed->get_future()]() mutable { taken.get()->reply(Response::ok()); });
  hub.add("p", Script().defer(
                   "later",
                   [handed](Message&, Context& context) {
                     handed->set_value(std::make_shared<ReplyHandle>(context.reply_handle()));
                   },
                   flags()));
  call(Message("later"));
  helper.join();
  EXPECT_EQ(log->count(host::EventKind::service_responded), 1u);
}

TEST_P(DispatchEvents, AreNotMadeForNobody) {
  hub.events().unsubscribe(log);
  hub.add("p", Script().on(
                   "work", [](Message&, Context&) { return Response::ok(); }, flags()));
  call(Message("work"));
  EXPECT_TRUE(log->entries().empty());
}

}  // namespace
}  // namespace busbar::testing
