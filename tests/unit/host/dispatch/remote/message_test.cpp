// The message's rules (C-M1 to C-M9) where they meet a caller: in a handler here, or at another node.
#include "remote.hpp"
#include "support/order.hpp"

namespace busbar::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

class Messages : public HereAndThere {};
BUSBAR_HERE_AND_THERE(Messages);

// All of a message that its handler can see.
json all_of(const Message& m) {
  return {{"service", m.service_name()},
          {"id", m.id()},
          {"correlation", m.correlation_id()},
          {"causation", m.causation_id()},
          {"metadata", m.logger_metadata().to_json()},
          {"invoked_at", m.invoked_at().time_since_epoch().count()},
          {"dry_run", static_cast<int>(m.dry_run())},
          {"raw_request", m.raw_request().to_json()},
          {"request", m.request().to_json()},
          {"valid", m.valid()},
          {"assigns", m.assigns().to_json()},
          {"response", static_cast<int>(m.response().kind())},
          {"events", m.events_json()},
          {"aggregate", m.aggregate_id().value_or("none")},
          {"origin", m.origin_node()},
          {"halted", m.halted()}};
}

TEST_P(Messages, C_M1_TheHandlerSeesEveryFieldAndCanReply) {
  json seen;
  net.add(provider(), Script().defer("s", [&](Message& m, Context& context) {
    seen = all_of(m);
    EXPECT_TRUE(context.reply_handle().reply(Response::ok()));
  }));
  Message message("s", Payload::from_json({{"account", "a-1"}, {"amount", 3}}));
  message.with_id("the-id").with_correlation("the-story", "the-cause").with_origin_node("somewhere");
  message.with_logger_metadata(Payload::from_json({{"user", "ann"}})).with_dry_run(DryRun::verbose);
  message.put_request(std::string("structured")).assign("key", 5).add_event(1).add_event(std::string("two"));
  message.prepare_aggregate_id("account");
  const json sent = all_of(message);
  EXPECT_TRUE(call(message).response().succeeded());
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(seen, sent);
  EXPECT_EQ(seen["aggregate"], "a-1");
}

TEST_P(Messages, C_M2_AHandlerSeesTheDefaultsOfANewOne) {
  json seen;
  net.add(provider(), Script().on("s", [&](Message& m, Context&) {
    seen = all_of(m);
    return Response::ok();
  }));
  const Message message("s");
  call(message);
  EXPECT_EQ(seen, all_of(message));
  EXPECT_EQ(seen["correlation"], message.id());
  EXPECT_EQ(seen["causation"], message.id());
}

TEST_P(Messages, C_M3_ANestedOneBelongsToTheStoryOfItsParent) {
  json seen;
  std::atomic<std::int64_t> outer_left{0}, inner_left{0};
  net.add("c", Script().on("inner", [&](Message& m, Context& context) {
    seen = all_of(m);
    inner_left = context.time_left().count();
    return Response::ok();
  }));
  net.add(provider(), Script().on("outer", [&](Message&, Context& context) {
    outer_left = context.time_left().count();
    return context.call("inner", 1, std::chrono::hours(24)).response();
  }));
  Message message("outer");
  message.with_correlation("the-story").with_logger_metadata(Payload::from_json({{"user", "ann"}}));
  ASSERT_TRUE(call(message, {600'000}).response().succeeded());
  EXPECT_EQ(seen["correlation"], "the-story");
  EXPECT_EQ(seen["causation"], message.id());
  EXPECT_NE(seen["id"], message.id());
  EXPECT_EQ(seen["metadata"], (json{{"user", "ann"}}));
  EXPECT_LE(inner_left, outer_left);
  EXPECT_GT(inner_left, 0);
}

TEST_P(Messages, C_M4_AssignsAreThereForAllThatComeLaterAndAMissingKeyIsNothing) {
  std::optional<int> authorize_saw, handler_saw;
  bool missing_was_nothing = false;
  net.add(provider(), Script()
                          .on("s",
                              [&](Message& m, Context&) {
                                handler_saw = m.assigned<int>("number");
                                missing_was_nothing = !m.assigned<int>("missing") && !m.assigned<std::string>("");
                                m.assign("number", 8).assign("more", std::string("text"));
                                return Response::ok();
                              })
                          .authorize_with([&](const Message& m) {
                            authorize_saw = m.assigned<int>("number");
                            return authorized();
                          }));
  const Message back = call(Message("s").assign("number", 7).assign("kept", true));
  ASSERT_TRUE(back.response().succeeded()) << shown(back.response());
  EXPECT_EQ(authorize_saw, 7);
  EXPECT_EQ(handler_saw, 7);
  EXPECT_TRUE(missing_was_nothing);
  EXPECT_EQ(back.assigned<int>("number"), 8);
  EXPECT_EQ(back.assigned<bool>("kept"), true);
  EXPECT_EQ(back.assigned<std::string>("more"), "text");
  EXPECT_EQ(back.assigned<int>("missing"), std::nullopt);
}

TEST_P(Messages, C_M5_EventsKeepTheirOrderAndAddingNoneAddsNone) {
  net.add(provider(), Script().on("s", [](Message& m, Context&) {
    m.add_event(2).add_event(std::nullopt).add_event_payload(Payload()).add_event(std::string("three"));
    m.ok(std::string("done"));
    EXPECT_TRUE(m.halted());
    EXPECT_EQ(m.events_json().size(), 3u) << "to respond leaves them";
    m.add_event(4);
    return m.response();
  }));
  const Message back = call(Message("s").add_event(1).with_dry_run(DryRun::verbose));
  EXPECT_EQ(back.response().value_as<std::string>(), "done");
  EXPECT_TRUE(back.halted());
  EXPECT_THAT(back.events_json(), ElementsAre(1, 2, "three", 4));
}

TEST_P(Messages, C_M6_AnInvalidStructuredRequestIsAnsweredAndAValidOneGoesOn) {
  std::atomic<int> went_on{0};
  net.add(provider(), Script().on("s", [&](Message& m, Context&) {
    m.put_request(m.raw_request_as<Order>());
    if (m.halted()) {
      EXPECT_FALSE(m.valid());
      EXPECT_TRUE(m.request().empty());
      return m.response();
    }
    EXPECT_TRUE(m.valid());
    ++went_on;
    return Response::ok(m.request_as<Order>().amount);
  }));
  const Message bad = call(Message::of("s", Order{"nail", 0}));
  EXPECT_EQ(bad.response().kind(), Response::Kind::validation_error);
  EXPECT_EQ(bad.response().value().to_json(), (json{{{"path", "amount"}, {"expected", "1 or more"}, {"found", "0"}}}));
  EXPECT_TRUE(bad.halted());
  EXPECT_EQ(went_on, 0);
  EXPECT_EQ(call(Message::of("s", Order{"nail", 3})).response().value_as<int>(), 3);
  EXPECT_EQ(went_on, 1);
}

TEST_P(Messages, C_M7_TheAggregatesIdIsReadOrMadeOrItIsMissing) {
  net.add(provider(), Script().on("s", [](Message& m, Context&) {
    m.prepare_aggregate_id("account", m.assigned<bool>("generate").value_or(false));
    if (m.halted()) return m.response();
    EXPECT_EQ(m.raw_field<std::string>("account"), m.aggregate_id());
    return Response::created(*m.aggregate_id());
  }));
  const Message given = call(Message("s", Payload::from_json({{"account", "a-1"}})));
  EXPECT_EQ(given.response().id(), "a-1");
  const Message missing = call(Message("s", Payload::from_json({{"amount", 1}})));
  EXPECT_EQ(missing.response().kind(), Response::Kind::missing_id);
  EXPECT_EQ(missing.response().field(), "account");
  const Message first = call(Message("s").assign("generate", true));
  const Message second = call(Message("s").assign("generate", true));
  EXPECT_EQ(first.response().id().size(), 22u);
  EXPECT_NE(first.response().id(), second.response().id());
}

TEST_P(Messages, C_M8_AHandlerReaddressesItsMessageWithOneFieldReplaced) {
  json seen;
  net.add("c", Script().on("second", [&](Message& m, Context&) {
    seen = {{"id", m.id()}, {"service", m.service_name()}, {"raw", m.raw_request().to_json()}};
    return Response::ok(std::string("from the second"));
  }));
  net.add(provider(), Script().on("first", [](Message& m, Context& context) {
    Message on(m);
    on.to_service("second").put_in_raw_request("b", std::string("replaced")).put_in_raw_request("c", 3);
    return context.dispatch(on).response();
  }));
  const Message message("first", Payload::from_json({{"a", 1}, {"b", 2}}));
  const Message back = call(message);
  EXPECT_EQ(back.response().value_as<std::string>(), "from the second");
  EXPECT_EQ(back.service_name(), "first") << "the caller's own is as it was addressed";
  EXPECT_EQ(seen,
            (json{{"id", message.id()}, {"service", "second"}, {"raw", {{"a", 1}, {"b", "replaced"}, {"c", 3}}}}));
}

}  // namespace
}  // namespace busbar::testing
