// What observers are told, in its order, on the caller's node and on the provider's (contract, "Events for observers").
#include "remote.hpp"
#include "support/event_log.hpp"

namespace busbar::testing {
namespace {

using host::EventKind;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

using Events = std::vector<std::string>;

// Each row is an event with the node that has it.
class EventOrder : public HereAndThere {
 protected:
  // One log for both nodes: which of two events came first is seen in it. Not of slow runs: under a sanitizer on a busy
  // machine any run may be one.
  EventOrder() {
    const host::EventMask all = ~host::mask_of(EventKind::inline_service_too_slow);
    for (const char* node : {"a", "b"}) net[node].events().subscribe(log, all);
  }

  /// The rows since the last time, when nothing is under way any more.
  Events told() {
    EXPECT_TRUE(net.quiet());
    Events out;
    for (const auto& entry : log->entries()) out.push_back(std::string(name_of(entry.kind)) + "@" + entry.node);
    log->clear();
    return out;
  }
  /// The rows of a call that is served, or of a part of them.
  static Events rows(const std::vector<const char*>& names) {
    Events out;
    for (const char* name : names) {
      const bool unknown_yet = std::string_view(name) == "discovering_service";
      out.push_back(std::string(name) + "@" + (unknown_yet ? "a" : provider()));
    }
    return out;
  }
  static Events served() {
    return rows({"discovering_service", "service_found", "invoking_service", "service_request_received",
                 "checking_if_service_call_is_authorized", "executing_service", "execution_finished",
                 "service_responded"});
  }
  static Events asked() {
    return rows(
        {"discovering_service", "service_found", "service_request_received", "checking_if_service_call_is_authorized"});
  }
  static Events not_found() { return {"discovering_service@a", "service_not_found@a"}; }

  host::AuthorizationAnswer::Kind may(Message message) {
    auto& dispatcher = net["a"].dispatcher();
    if (form() == Form::blocking) return dispatcher.authorized(std::move(message)).kind;
    const auto answer = std::make_shared<std::promise<host::AuthorizationAnswer>>();
    dispatcher.authorized_async(std::move(message), [answer](auto given) { answer->set_value(std::move(given)); });
    return answer->get_future().get().kind;
  }

  const std::shared_ptr<EventLog> log = std::make_shared<EventLog>();
};
BUSBAR_HERE_AND_THERE(EventOrder);

TEST_P(EventOrder, OfADispatchThatFindsItsService) {
  for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(BUSBAR_SERVICE_INLINE)}) {
    net[provider()].registry().withdraw_router("p");
    net.add(provider(), answering("s", "x", flags));
    Message message("s");
    message.with_correlation("the-story").with_origin_node("a");
    EXPECT_TRUE(call(message).response().succeeded());
    ASSERT_TRUE(net.quiet());
    for (const auto& entry : log->entries()) {
      const std::string_view name = name_of(entry.kind);
      EXPECT_EQ(entry.service, "s") << name;
      EXPECT_EQ(entry.message_id, message.id()) << name;
      EXPECT_EQ(entry.correlation_id, "the-story") << name;
      EXPECT_EQ(entry.origin, "a") << name;
      EXPECT_TRUE(entry.is_public) << name;
      const bool timed = entry.kind == EventKind::execution_finished || entry.kind == EventKind::service_responded;
      EXPECT_EQ(entry.duration > 0, timed) << name;
    }
    EXPECT_THAT(told(), ElementsAreArray(served()));
  }
}

TEST_P(EventOrder, OfADispatchThatFindsNobody) {
  EXPECT_EQ(call(Message("s")).response().kind(), Response::Kind::service_unavailable);
  EXPECT_THAT(told(), ElementsAreArray(not_found()));
}

// C-D10: as of a dispatch.
TEST_P(EventOrder, OfAValidation) {
  const auto validate = [&] {
    Message message("s");
    net["a"].dispatcher().validate(message);
    return message;
  };
  EXPECT_FALSE(validate().response().succeeded());
  EXPECT_THAT(told(), ElementsAreArray(not_found()));
  net.add(provider(), answering("s", "x", BUSBAR_SERVICE_DRY_RUN_SAFE));
  EXPECT_TRUE(validate().response().succeeded());
  EXPECT_THAT(told(), ElementsAreArray(served()));
}

// C-D11: nothing is invoked, and nothing executed.
TEST_P(EventOrder, OfAQuestionWhetherACallWouldBeAuthorized) {
  using Kind = host::AuthorizationAnswer::Kind;
  EXPECT_EQ(may(Message("s")), Kind::service_unavailable);
  EXPECT_THAT(told(), ElementsAreArray(not_found()));
  net.add(provider(), answering("s", "x").authorize_with([](const Message& m) {
    return m.assigned<bool>("yes").value_or(false) ? authorized() : forbidden();
  }));
  for (const bool yes : {true, false}) {
    EXPECT_EQ(may(Message("s").assign("yes", yes)), yes ? Kind::yes : Kind::no);
    EXPECT_THAT(told(), ElementsAreArray(asked())) << yes;
  }
}

// C-D1: not of a call, nor of a question.
TEST_P(EventOrder, OfAHaltedMessageThereIsNone) {
  net.add(provider(), answering("s", "x"));
  for (const char* service : {"s", "nobody_has_this"}) {
    Message halted(service);
    halted.ok();
    call(halted);
    net["a"].dispatcher().validate(halted);
    may(halted);
  }
  EXPECT_THAT(told(), IsEmpty());
}

// C-R3
TEST_P(EventOrder, OfACallThatIsNotAuthorized) {
  net.add(provider(), answering("s", "x").authorize_with([](const Message&) { return forbidden(); }));
  EXPECT_TRUE(call(Message("s")).response().is_error("forbidden"));
  EXPECT_THAT(told(), ElementsAreArray(
                          rows({"discovering_service", "service_found", "invoking_service", "service_request_received",
                                "checking_if_service_call_is_authorized", "service_responded"})));
}

// C-D7
TEST_P(EventOrder, OfACallWhoseHandlerThrows) {
  net.add(provider(), Script().on("s", [](Message&, Context&) -> Response { throw std::runtime_error("broken"); }));
  EXPECT_TRUE(call(Message("s")).response().is_bad_rpc("exit"));
  EXPECT_THAT(told(), ElementsAreArray(served()));
}

// C-D4: each that is tried is found, invoked and has responded, before the next one is.
TEST_P(EventOrder, OfACallThatIsSentOn) {
  net.add(provider(), refusing("s", "busy"));
  const Message alone = call(Message("s"));
  EXPECT_TRUE(alone.response().is_error(code::kNoNodesAvailable));
  EXPECT_THAT(told(), ElementsAreArray(served())) << "somebody was found";
  net.add("c", answering("s", "c"));
  Events both = served();
  for (const char* row : {"service_found@c", "invoking_service@c", "service_responded@c"}) both.emplace_back(row);
  bool after_a_refusal = false;
  for (int i = 0; i < 40 && !after_a_refusal; ++i) {  // of b and c either may be the first
    EXPECT_TRUE(call(Message("s")).response().succeeded());
    const Events seen = told();
    after_a_refusal = seen.size() > 4;
    if (after_a_refusal) {
      EXPECT_EQ(seen, both);
    }
  }
  EXPECT_TRUE(after_a_refusal);
}

// Of a call that ends between two providers: the first has responded already, and no other was invoked.
TEST_P(EventOrder, OfACallWhoseTimeIsOverBetweenTwoProviders) {
  static constexpr std::uint32_t kBudgetMs = 150;
  class Hold final : public host::Observer {
   public:
    void on_event(const host::Event&) noexcept override {
      const host::Nanos over = host::now_ns() + (kBudgetMs + 1) * host::kMillisecond;  // the call began before this
      EXPECT_TRUE(eventually([&] { return host::now_ns() > over; }));
    }
  };
  net.add(provider(), refusing("s", "busy"));
  net.add("c", refusing("s", "busy"));
  const auto hold = std::make_shared<Hold>();
  net["a"].events().subscribe(hold, host::mask_of(EventKind::service_responded));
  const Message outcome = call(Message("s"), {kBudgetMs});
  EXPECT_EQ(outcome.response().kind(), Response::Kind::service_timeout);
  ASSERT_TRUE(net.quiet());
  net["a"].events().unsubscribe(hold);
  EXPECT_EQ(log->count(EventKind::invoking_service), 1u);
  EXPECT_EQ(log->count(EventKind::service_responded), 1u);
}

// C-D18: nor is one left out that could not be reached.
TEST_P(EventOrder, OfACallThatCouldNotBeSent) {
  net.add("b", answering("s", "b"));
  for (const auto reason : {host::Sent::kDown, host::Sent::kFull, host::Sent::kTooLarge}) {
    net.link("a", "b").requests.refuse_with(reason);
    EXPECT_FALSE(call(Message("s")).response().succeeded());
    EXPECT_THAT(told(),
                ElementsAre("discovering_service@a", "service_found@b", "invoking_service@b", "service_responded@b"));
  }
}

}  // namespace
}  // namespace busbar::testing
