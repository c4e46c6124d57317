// What a dispatch does with a message on one node: discovery, private and public services, what comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/event_log.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Response echo(Message& message, Context&) { return Response::ok_payload(message.raw_request()); }

class Dispatch : public ::testing::TestWithParam<Form> {
 protected:
  Message call(Message message, host::DispatchOptions options = {}) {
    return hub.call(std::move(message), options, GetParam());
  }
  Hub hub;
};
INSTANTIATE_TEST_SUITE_P(BothForms, Dispatch, ::testing::Values(Form::blocking, Form::async),
                         [](const auto& tested) { return tested.param == Form::blocking ? "Blocking" : "Async"; });

TEST_P(Dispatch, C_D1_ReturnsAHaltedMessageUntouchedAndReportsNothing) {
  std::atomic<int> runs{0};
  hub.add("p", Script().on("count", [&](Message&, Context&) {
    ++runs;
    return Response::ok();
  }));
  const auto log = std::make_shared<EventLog>();
  hub.events().subscribe(log);
  Message message = Message::of("count", 7);
  message.assign("key", 1).add_event(std::string("kept")).put_request(std::string("structured"));
  message.error("my_error", "as it was");
  const Message before(message);
  for (const std::uint32_t timeout : {0u, 1u, 1000u}) {
    const Message back = call(message, {timeout});
    EXPECT_EQ(back.id(), before.id());
    EXPECT_TRUE(back.response().is_error("my_error"));
    EXPECT_EQ(back.raw_request().to_json(), 7);
    EXPECT_EQ(back.request().to_json(), "structured");
    EXPECT_EQ(back.assigned<int>("key"), 1);
    EXPECT_EQ(back.events_json().size(), 1u);
  }
  message.to_service("nobody_offers_this");
  EXPECT_TRUE(call(message).response().is_error("my_error"));
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(log->entries().empty());
}

TEST_P(Dispatch, C_D2_AnswersServiceUnavailableWhereNobodyProvides) {
  const Message back = call(Message("nobody_offers_this"));
  EXPECT_EQ(back.response().kind(), Response::Kind::service_unavailable);
  EXPECT_EQ(back.response().service(), "nobody_offers_this");
}

TEST_P(Dispatch, C_D2_FindsAProviderOnlyWhileItIsRegistered) {
  hub.add("p", Script().on("echo", echo));
  EXPECT_EQ(call(Message::of("echo", 1)).response().value_as<int>(), 1);
  hub.registry().withdraw_router("p");
  EXPECT_EQ(call(Message::of("echo", 1)).response().kind(), Response::Kind::service_unavailable);
}

TEST_P(Dispatch, RefusesANameThatNoServiceMayHaveWithoutRepeatingIt) {
  for (const std::string& name : {std::string(), std::string("Bad"), std::string(256, 'a'), std::string("\xff\xfe")}) {
    const Message back = call(Message(name));
    EXPECT_FALSE(back.response().succeeded());
    EXPECT_TRUE(back.response().is_error("malformed")) << name;
  }
  EXPECT_EQ(call(Message(std::string(255, 'a'))).response().kind(), Response::Kind::service_unavailable);
}

TEST_P(Dispatch, C_D4_TurnsALoneProvidersTryAnotherNodeIntoNoNodesAvailableNamedLocal) {
  hub.add("p", Script().on("busy", [](Message&, Context&) { return Response::try_another_node("warming up"); }));
  const Message back = call(Message("busy"));
  ASSERT_TRUE(back.response().is_error("no_nodes_available"));
  const auto nodes = back.response().value().to_json();
  EXPECT_EQ(nodes, (nlohmann::json{{{"node", "local"}, {"reason", "warming up"}}}));
}

TEST_P(Dispatch, C_D7_AnswersBadRpcExitAtOnceWhenTheHandlerThrows) {
  hub.add("p", Script()
                   .on("throws", [](Message&, Context&) -> Response { throw std::runtime_error("no luck"); })
                   .on("throws_int", [](Message&, Context&) -> Response { throw 5; }));
  // A whole day: an answer that waited for the timeout would never come.
  const Message back = call(Message("throws"), {kMaxTimeoutMs});
  EXPECT_TRUE(back.response().is_bad_rpc("exit"));
  EXPECT_THAT(std::string(back.response().text()), HasSubstr("no luck"));
  EXPECT_TRUE(call(Message("throws_int"), {kMaxTimeoutMs}).response().is_bad_rpc("exit"));
}

TEST_P(Dispatch, C_D7_WhatAnExceptionSaysIsShownAlsoWhereItIsNotUtf8) {
  hub.add("p", Script().on("throws", [](Message&, Context&) -> Response {
    throw std::runtime_error(
        "Stra\xdf"
        "e");
  }));
  const Message back = call(Message("throws"));
  EXPECT_TRUE(back.response().is_bad_rpc("exit"));
  EXPECT_NE(back.response().text().find("Stra"), std::string_view::npos);
  EXPECT_EQ(back.response().text().find('\xdf'), std::string_view::npos);
}

TEST_P(Dispatch, C_D7_AnErrorWithoutAProperCodeIsABadReturn) {
  hub.add("p", Script()
                   .on("code", [](Message&, Context&) { return Response::error("Not A Code"); })
                   .on("kind", [](Message&, Context&) { return Response::bad_rpc("weird", "x"); })
                   .on("id", [](Message&, Context&) { return Response::created("\xff"); }));
  for (const char* service : {"code", "kind", "id"}) {
    EXPECT_TRUE(call(Message(service)).response().is_bad_rpc("bad_return")) << service;
  }
}

TEST_P(Dispatch, C_D7_AnswersBadReturnForAHandlerThatAnswersNoResponse) {
  hub.add("p", Script().on("nothing", [](Message&, Context&) { return Response(); }));
  EXPECT_TRUE(call(Message("nothing"), {kMaxTimeoutMs}).response().is_bad_rpc("bad_return"));
}

TEST_P(Dispatch, C_D12_DiscoversTheLocalProviderPublicOrPrivateOrNobody) {
  CRouter hidden(
      "hidden", [](busbar_call*, const busbar_message*) { return 0u; }, BUSBAR_SERVICE_PRIVATE);
  hub.add("c-router", hidden);
  hub.add("p", Script().on("seen", echo));
  for (const auto& [service, router] : {std::pair{"seen", "p"}, std::pair{"hidden", "c-router"}}) {
    const auto found = hub.dispatcher().discover_service(Message(service));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].node, "local");
    EXPECT_EQ(found[0].router, router);
  }
  EXPECT_TRUE(hub.dispatcher().discover_service(Message("nobody")).empty());
}

TEST_P(Dispatch, C_R1_ServesPrivateServicesToItsOwnNode) {
  class Private final : public Router {
   public:
    Private() { private_service("own_only", &Private::serve).doc("Only here."); }
    Authorization authorize(const Message&) override { return authorized(); }

   private:
    int serve() { return 5; }
  };
  hub.add<Private>("p");
  EXPECT_EQ(call(Message("own_only")).response().value_as<int>(), 5);
  // C-R2: the handler is called serve, and the documentation can be read.
  const auto listed = hub.registry().list(registry::Listing::private_);
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(static_cast<host::Endpoint&>(*listed[0]).doc(), "Only here.");
}

TEST_P(Dispatch, C_R7_ListsPublicAndPrivateServices) {
  CRouter hidden(
      "hidden", [](busbar_call*, const busbar_message*) { return 0u; }, BUSBAR_SERVICE_PRIVATE);
  hub.add("c-router", hidden);
  hub.add("p", Script().on("b", echo).on("a", echo));
  const auto names = [&](registry::Listing which) {
    std::vector<std::string> out;
    for (const auto& service : hub.registry().list(which)) out.push_back(service->service());
    return out;
  };
  EXPECT_THAT(names(registry::Listing::public_), ElementsAre("a", "b"));
  EXPECT_THAT(names(registry::Listing::private_), ElementsAre("hidden"));
  EXPECT_THAT(names(registry::Listing::all), ElementsAre("a", "b", "hidden"));
}

TEST_P(Dispatch, C_M9_ReturnsIdsAssignsAndResponseButNeverTheRequest) {
  hub.add("p", Script().on("decorate", [](Message& message, Context&) {
    EXPECT_EQ(message.assigned<int>("from_caller"), 1);
    message.put_request(std::string("structured")).assign("from_handler", 2).add_event(std::string("event"));
    return Response::ok(std::string("done"), 3);
  }));
  Message message = Message::of("decorate", std::string("raw"));
  message.with_correlation("the-correlation", "the-cause").assign("from_caller", 1).put_request(4);
  const Message back = call(message);
  EXPECT_EQ(back.id(), message.id());
  EXPECT_EQ(back.service_name(), "decorate");
  EXPECT_EQ(back.correlation_id(), "the-correlation");
  EXPECT_EQ(back.causation_id(), "the-cause");
  EXPECT_EQ(back.assigned<int>("from_caller"), 1);
  EXPECT_EQ(back.assigned<int>("from_handler"), 2);
  EXPECT_EQ(back.response().value_as<std::string>(), "done");
  EXPECT_EQ(back.response().version(), 3);
  EXPECT_TRUE(back.halted());
  EXPECT_TRUE(back.request().empty());
  EXPECT_TRUE(back.raw_request().empty());
  EXPECT_TRUE(back.events().empty());  // C-R5
}

TEST_P(Dispatch, C_M9_NeverReturnsTheRequestHoweverTheCallEnds) {
  std::promise<void> let_go;
  const auto released = let_go.get_future().share();
  hub.add("p", Script()
                   .on("slow",
                       [released](Message&, Context&) {
                         released.wait();
                         return Response::ok();
                       })
                   .on("throws", [](Message&, Context&) -> Response { throw std::runtime_error("x"); })
                   .on("busy", [](Message&, Context&) { return Response::try_another_node("x"); }));
  for (const auto* service : {"slow", "throws", "busy", "nobody", "Bad Name"}) {
    Message message = Message::of(service, 1);
    message.put_request(2).add_event(3);
    const Message back = call(message, {3});
    EXPECT_TRUE(back.request().empty()) << service;
    EXPECT_TRUE(back.raw_request().empty()) << service;
    EXPECT_TRUE(back.events().empty()) << service;
    EXPECT_TRUE(back.halted()) << service;
    EXPECT_EQ(back.id(), message.id()) << service;
  }
  let_go.set_value();
}

TEST_P(Dispatch, C_R5_KeepsEventsInTheirOrderWithDryRunVerboseOnly) {
  hub.add("p", Script().on("events", [](Message& message, Context&) {
    for (int i = 0; i < 5; ++i) message.add_event(i);
    return Response::ok();
  }));
  for (const DryRun dry_run : {DryRun::no, DryRun::yes, DryRun::verbose}) {
    const Message back = call(Message("events").with_dry_run(dry_run));
    EXPECT_EQ(back.dry_run(), dry_run);
    if (dry_run == DryRun::verbose) {
      EXPECT_THAT(back.events_json(), ElementsAre(0, 1, 2, 3, 4));
    } else {
      EXPECT_TRUE(back.events().empty());
    }
  }
}

TEST_P(Dispatch, CarriesValuesThatOutliveTheHandlerThatAnsweredThem) {
  // A value that is not in the host's reply buffer must be copied before the handler's own memory goes.
  hub.add("p", Script().on("copy", [](Message& message, Context&) {
    message.assign("large", std::string(5000, 'a')).add_event(std::string(5000, 'e'));
    return Response::ok(std::string(5000, 'v'), 1);
  }));
  const Message back = call(Message("copy").with_dry_run(DryRun::verbose));
  EXPECT_EQ(back.response().value_as<std::string>(), std::string(5000, 'v'));
  EXPECT_EQ(back.assigned<std::string>("large"), std::string(5000, 'a'));
  EXPECT_THAT(back.events_json(), ElementsAre(std::string(5000, 'e')));
}

TEST_P(Dispatch, GivesTheHandlerTheMessageAsItWasSent) {
  hub.add("p", Script().on("look", [](Message& message, Context& context) {
    EXPECT_EQ(message.id(), "my-id");
    EXPECT_EQ(message.correlation_id(), "my-id");
    EXPECT_EQ(message.causation_id(), "my-id");
    EXPECT_EQ(message.origin_node(), "elsewhere");
    EXPECT_EQ(message.logger_metadata().to_json(), (nlohmann::json{{"user", "ann"}}));
    EXPECT_EQ(message.request().to_json(), 2);
    EXPECT_TRUE(message.valid());
    EXPECT_FALSE(message.halted());
    EXPECT_TRUE(message.deadline().has_value());
    EXPECT_EQ(context.node(), "node-1");
    EXPECT_EQ(&context.message(), &message);
    return Response::ok(message.invoked_at().time_since_epoch().count());
  }));
  Message message = Message::of("look", 1);
  message.with_id("my-id").with_origin_node("elsewhere").put_request(2);
  message.with_logger_metadata(Payload::from_json({{"user", "ann"}}));
  const Message back = call(message);
  ASSERT_TRUE(back.response().succeeded()) << back.response().text();
  EXPECT_EQ(back.response().value_as<std::int64_t>(), message.invoked_at().time_since_epoch().count());
}

TEST_P(Dispatch, C_M2_C_M3_NestedMessagesCarryTheCallersCurrentLogMetadata) {
  hub.add("p", Script()
                   .on("inner", [](Message& m, Context&) { return Response::ok_payload(m.logger_metadata()); })
                   .on("outer", [](Message& m, Context& context) {
                     Message own("inner");
                     own.with_logger_metadata(Payload::from_json({{"user", "own"}}));
                     return Response::ok(std::vector<nlohmann::json>{
                         context.dispatch(Message("inner")).response().value().to_json(),
                         context.dispatch(Message::caused_by(m, "inner")).response().value().to_json(),
                         context.dispatch(own).response().value().to_json()});
                   }));
  Message message("outer");
  message.with_logger_metadata(Payload::from_json({{"user", "ann"}}));
  const auto seen = call(message).response().value().to_json();
  EXPECT_EQ(seen, nlohmann::json::parse(R"([{"user":"ann"},{"user":"ann"},{"user":"own"}])"));
}

TEST(DispatchValidate, C_D10_SetsDryRunFromNoToYesAndKeepsVerbose) {
  Hub hub;
  hub.add("p", Script().on("tell", [](Message& message, Context&) {
    return Response::ok(static_cast<int>(message.dry_run()));
  }));
  for (const auto& [given, seen] : {std::pair{DryRun::no, DryRun::yes}, std::pair{DryRun::yes, DryRun::yes},
                                    std::pair{DryRun::verbose, DryRun::verbose}}) {
    Message message("tell");
    message.with_dry_run(given);
    hub.dispatcher().validate(message);
    EXPECT_EQ(message.response().value_as<int>(), static_cast<int>(seen));
    EXPECT_EQ(message.dry_run(), seen);
  }
}

TEST(DispatchValidate, C_D10_AnswersTheVersionAloneOrTheErrorThatTheRealCallWouldGive) {
  Hub hub;
  hub.add("p", Script().on("aggregate", [](Message& message, Context&) {
    if (message.raw_request().to_json() == "bad") return Response::error("rejected");
    return message.dry_run() == DryRun::no ? Response::ok(std::string("done"), 8) : Response::ok_version(8);
  }));
  Message valid = Message::of("aggregate", std::string("good"));
  hub.dispatcher().validate(valid);
  EXPECT_EQ(valid.response().kind(), Response::Kind::ok);
  EXPECT_TRUE(valid.response().value().empty());
  EXPECT_EQ(valid.response().version(), 8);
  Message invalid = Message::of("aggregate", std::string("bad"));
  const Message real = hub.call(invalid);
  hub.dispatcher().validate(invalid);
  EXPECT_EQ(invalid.response().error_code(), real.response().error_code());
}

TEST(DispatchValidate, C_D1_LeavesAHaltedMessageAlone) {
  Hub hub;
  Message message("whatever");
  message.error("stop");
  hub.dispatcher().validate(message);
  EXPECT_TRUE(message.response().is_error("stop"));
  EXPECT_EQ(message.dry_run(), DryRun::no) << "C-D1: untouched, whatever the options";
}

}  // namespace
}  // namespace busbar::testing
