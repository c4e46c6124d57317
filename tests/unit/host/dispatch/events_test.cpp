// What the events of a dispatch tell, and when there are none. Their order: remote/events_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <thread>

#include "events/event_history.hpp"
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
  std::vector<EventLog::Entry> responses() const {
    auto all = log->entries();
    std::erase_if(all, [](const auto& e) { return e.kind != host::EventKind::service_responded; });
    return all;
  }
  Hub hub;
  std::shared_ptr<EventLog> log = std::make_shared<EventLog>();
};
/// Those of calls whose time is over while they run: no timeout holds while an inline service does.
using PooledDispatchEvents = DispatchEvents;

constexpr auto kNamed = [](const ::testing::TestParamInfo<std::tuple<Form, bool>>& tested) {
  return std::string(std::get<0>(tested.param) == Form::blocking ? "Blocking" : "Async") +
         (std::get<1>(tested.param) ? "Inline" : "Pooled");
};
INSTANTIATE_TEST_SUITE_P(All, DispatchEvents,
                         ::testing::Combine(::testing::Values(Form::blocking, Form::async), ::testing::Bool()), kNamed);
INSTANTIATE_TEST_SUITE_P(All, PooledDispatchEvents,
                         ::testing::Combine(::testing::Values(Form::blocking, Form::async), ::testing::Values(false)),
                         kNamed);

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

TEST_P(PooledDispatchEvents, TellTheResponseOfACallThatTimedOut) {
  std::latch let_go(1);
  hub.add("p", Script().on("slow", [&](Message&, Context&) {
    let_go.wait();
    return Response::ok();
  }));
  call(Message("slow"), {3});
  EXPECT_EQ(log->count(host::EventKind::service_responded), 1u);
  EXPECT_EQ(responses().front().response, Response::Kind::service_timeout);
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

TEST_P(DispatchEvents, TellWhatTheResponseIs) {
  const auto flags = DispatchEvents::flags();
  hub.add("p", Script()
                   .on(
                       "works", [](Message&, Context&) { return Response::ok(7); }, flags)
                   .on(
                       "makes", [](Message&, Context&) { return Response::created("id"); }, flags)
                   .on(
                       "fails", [](Message&, Context&) { return Response::error("out_of_tea", "none left"); }, flags)
                   .on(
                       "throws", [](Message&, Context&) -> Response { throw std::runtime_error("broken"); }, flags));
  for (const char* service : {"works", "makes", "fails", "throws"}) call(Message(service));
  const auto told = responses();
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[0].response, Response::Kind::ok);
  EXPECT_EQ(told[1].response, Response::Kind::created);
  EXPECT_EQ(told[2].response, Response::Kind::error);
  EXPECT_EQ(told[2].code, "out_of_tea");
  EXPECT_EQ(told[2].reason, "");
  EXPECT_EQ(told[3].response, Response::Kind::error);
  EXPECT_EQ(told[3].code, code::kBadRpc);
  EXPECT_EQ(told[3].reason, badrpc::kExit);
  for (const auto& entry : log->entries()) {
    if (entry.kind != host::EventKind::service_responded) {
      EXPECT_EQ(entry.response, Response::Kind::none);
    }
  }
}

// What is shown of an inline call as a whole is what is shown singly, and each observer is shown one of the two.
TEST_P(DispatchEvents, AsAWholeAreTheSameAsSingly) {
  const auto history = std::make_shared<host::EventHistory>();
  hub.events().subscribe(history, ~host::mask_of(host::EventKind::inline_service_too_slow));
  hub.add("p", Script()
                   .on(
                       "good", [](Message&, Context&) { return Response::ok(1); }, flags())
                   .on(
                       "bad", [](Message&, Context&) { return Response::error("out_of_tea", "none"); }, flags())
                   .on(
                       "throws", [](Message&, Context&) -> Response { throw std::runtime_error("so"); }, flags())
                   .on(
                       "secret", [](Message&, Context&) { return Response::ok(); }, flags())
                   .authorize_with(
                       [](const Message& m) { return m.service_name() == "secret" ? forbidden() : authorized(); }));
  for (const char* service : {"good", "bad", "throws", "secret", "nobody"}) {
    log->clear();
    const auto before = history->read().next;
    Message message(service);
    message.with_origin_node("here").with_correlation("correlated");
    call(message);
    ASSERT_TRUE(hub.idle());
    const auto kept = history->read(&before).events;
    const auto shown = log->entries();
    ASSERT_EQ(kept.size(), shown.size()) << service;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      EXPECT_EQ(kept[i].kind, shown[i].kind) << service << i;
      EXPECT_EQ(kept[i].service, shown[i].service);
      EXPECT_EQ(kept[i].message_id, shown[i].message_id);
      EXPECT_EQ(kept[i].response, shown[i].response);
      EXPECT_EQ(kept[i].code, shown[i].code);
      EXPECT_EQ(kept[i].duration != 0, shown[i].duration != 0) << service << i;
    }
  }
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
