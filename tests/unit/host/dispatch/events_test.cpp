// The events that a dispatch emits, in their order (contract, "Events for observers").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <thread>

#include "support/event_log.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using ::testing::ElementsAre;

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

TEST_P(DispatchEvents, TellACallFromDiscoveryToResponse) {
  hub.add("p", Script().on(
                   "work", [](Message&, Context&) { return Response::ok(); }, flags()));
  Message message("work");
  message.with_correlation("the-correlation").with_origin_node("elsewhere");
  call(message);
  EXPECT_THAT(log->names(), ElementsAre("discovering_service", "service_found", "invoking_service",
                                        "service_request_received", "checking_if_service_call_is_authorized",
                                        "executing_service", "execution_finished", "service_responded"));
  for (const auto& entry : log->entries()) {
    EXPECT_EQ(entry.service, "work");
    EXPECT_EQ(entry.message_id, message.id());
    EXPECT_EQ(entry.correlation_id, "the-correlation");
    EXPECT_EQ(entry.node, "node-1");
    EXPECT_EQ(entry.origin, "elsewhere");
    EXPECT_TRUE(entry.is_public);
    const bool timed =
        entry.kind == host::EventKind::execution_finished || entry.kind == host::EventKind::service_responded;
    EXPECT_EQ(entry.duration > 0, timed) << name_of(entry.kind);
  }
}

TEST_P(DispatchEvents, TellThatAServiceWasNotFound) {
  call(Message("nobody"));
  EXPECT_THAT(log->names(), ElementsAre("discovering_service", "service_not_found"));
}

TEST_P(DispatchEvents, TellOfARefusedCallThatItWasNotExecuted) {
  hub.add("p", Script()
                   .on(
                       "work", [](Message&, Context&) { return Response::ok(); }, flags())
                   .authorize_with([](const Message&) { return forbidden(); }));
  call(Message("work"));
  EXPECT_THAT(log->names(),
              ElementsAre("discovering_service", "service_found", "invoking_service", "service_request_received",
                          "checking_if_service_call_is_authorized", "service_responded"));
}

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

TEST(AuthorizedEvents, TellThatTheAuthorizationWasCheckedAndNothingExecuted) {
  Hub hub;
  const auto log = std::make_shared<EventLog>();
  hub.events().subscribe(log);
  hub.add("p", Script().on("work", [](Message&, Context&) { return Response::ok(); }));
  hub.dispatcher().authorized(Message("work"));
  EXPECT_EQ(log->names().front(), "discovering_service");
  EXPECT_EQ(log->count(host::EventKind::checking_if_service_call_is_authorized), 1u);
  EXPECT_EQ(log->count(host::EventKind::executing_service), 0u);
  EXPECT_EQ(log->count(host::EventKind::execution_finished), 0u);
}

}  // namespace
}  // namespace busbar::testing
