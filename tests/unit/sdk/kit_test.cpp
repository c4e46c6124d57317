// The test kit: a router under test must see what it would see in a host.
#include <busbar/testing/kit.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace busbar {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = Response::Kind;
using Ms = std::chrono::milliseconds;

struct Request {
  int number = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number));
  }
  void validate(Problems& problems) const {
    if (number < 0) problems.add("number", "0 or more", std::to_string(number));
  }
};

class Tested final : public Router {
 public:
  Tested() {
    service("double", &Tested::twice).timeout(2s);
    service("changes", &Tested::changes);
    service("adds", &Tested::adds);
    service("bad_assigns", &Tested::bad_assigns);
    service("throws", &Tested::throws);
    service("later", &Tested::later);
    service("from_thread", &Tested::from_thread);
    service("time_left", &Tested::time_left);
    service("asks", &Tested::asks);
    service("asks_twice", &Tested::asks_twice);
    service("asks_by_host", &Tested::asks_by_host);
    service("asks_later", &Tested::asks_later);
    service("asks_in_callback", &Tested::asks_in_callback);
    service("logs", &Tested::logs);
    service("inline_asks", &Tested::asks).inlined();
    service("elsewhere", &Tested::nothing);
    private_service("hidden", &Tested::nothing);
  }
  Authorization authorize(const Message& message) override {
    const auto word = message.assigned<std::string>("word").value_or("");
    if (word == "no") return forbidden();
    if (word == "never") return refused("too_late", "tomorrow");
    if (word == "wrong") return refused(Response::ok());
    if (word == "throw") throw std::runtime_error("cannot decide");
    return authorized();
  }
  std::string choose_node(const Message& message) override {
    return message.service_name() == "elsewhere" ? "node-b" : "";
  }
  void start(const Payload& config) override {
    const auto json = config.to_json();
    if (json.contains("refuse")) throw std::runtime_error("no database");
    log().info("started with " + json.dump());
  }
  void stop() override {
    if (forget_at_stop) handle.reset();
    log().info("stopped");
  }
  Health healthy() override { return ill ? Health::bad("the disk is full") : Health::good(); }

  inline static std::optional<ReplyHandle> handle;
  inline static bool forget_at_stop = true, ill = false;
  inline static std::vector<Message> answers;

 private:
  int twice(const Request& request) { return 2 * request.number; }
  Message changes(Message& message) { return message.assign("seen", true).add_event(1).add_event(2).ok(5, 7); }
  int adds(const Request&, Context& context) {
    context.message().add_event("added").assign("by", "context");
    return 1;
  }
  Message bad_assigns(Message& message) { return message.with_assigns(Payload::of(5)).ok(); }
  int throws() { throw std::runtime_error("no luck"); }
  NoReply later(Context& context) {
    handle.emplace(context.reply_handle());
    return no_reply;
  }
  NoReply from_thread(Context& context) {
    std::thread([mine = context.reply_handle()]() mutable { mine.reply(Response::ok(3)); }).detach();
    return no_reply;
  }
  std::int64_t time_left(Context& context) { return context.time_left().count(); }
  Message asks(Message& message, Context& context) {
    return message.respond(
        context.call("other", Request{4}, Ms(message.raw_field<int>("timeout").value_or(0))).response());
  }
  void asks_twice(Context& context) {
    context.call("other", Request{1});
    context.call("other", Request{2});
  }
  Message asks_by_host(Message& message) { return message.respond(host().dispatch(Message("other"), 1h).response()); }
  void asks_later(Message& message, Context& context) {
    context.dispatch_async(
        context.caused("other", Request{4}), [](Message back) { answers.push_back(std::move(back)); },
        Ms(message.raw_field<int>("timeout").value_or(0)));
  }
  void asks_in_callback(Context& context) {
    context.dispatch_async(Message("other"), [this](Message) { answers.push_back(host().dispatch(Message("other"))); });
  }
  void logs(Context& context) { context.log().warn("look out"); }
  void nothing() {}
};

class Kit : public ::testing::Test {
 protected:
  Kit() {
    Tested::handle.reset();
    Tested::answers.clear();
    Tested::forget_at_stop = true;
    Tested::ill = false;
  }
  Response ask(const Message& message) { return host.call(message).response(); }
  Response ask(const char* service, const nlohmann::json& request = nlohmann::json::object()) {
    return host.call(service, request).response();
  }
  kit::Host<Tested> host;
};

// --------------------------------------------------------------------------------------------------------- calling

TEST_F(Kit, CallsATypedHandlerWithRequestsOfAnyKind) {
  EXPECT_EQ(host.call("double", Request{4}).response().value_as<int>(), 8);
  EXPECT_EQ(host.call("double", nlohmann::json{{"number", 4}}).response().value_as<int>(), 8);
  EXPECT_EQ(host.call(Message::of("double", Request{4})).response().value_as<int>(), 8);
  EXPECT_EQ(host.call("hidden").response().kind(), Kind::ok) << "a private service is called like any other";
  EXPECT_EQ(ask("double", {{"number", -1}}).kind(), Kind::validation_error);
  EXPECT_EQ(ask("double", {{"number", "x"}}).kind(), Kind::validation_error);
  EXPECT_TRUE(host.call("throws").response().is_bad_rpc("exit")) << "C-D7";
  EXPECT_EQ(host.call("throws").response().text(), "no luck");
}

TEST_F(Kit, C_M9_C_R5_GivesBackWhatACallerGetsBack) {
  const Message sent = Message::of("changes", Request{4}).assign("word", "yes").with_origin_node("node-z");
  const Message back = host.call(sent);
  EXPECT_EQ(back.id(), sent.id());
  EXPECT_EQ(back.correlation_id(), sent.correlation_id());
  EXPECT_EQ(back.origin_node(), "node-z");
  EXPECT_EQ(back.assigned<std::string>("word"), "yes");
  EXPECT_EQ(back.assigned<bool>("seen"), true);
  EXPECT_TRUE(back.halted());
  EXPECT_EQ(back.response().value_as<int>(), 5);
  EXPECT_EQ(back.response().version(), 7);
  EXPECT_TRUE(back.raw_request().empty());
  EXPECT_FALSE(back.has_events());
  EXPECT_EQ(back.deadline(), sent.deadline()) << "the call's own deadline is not the caller's";
}

TEST_F(Kit, C_R5_ShowsEventsWithAVerboseDryRun) {
  EXPECT_THAT(host.call(Message("changes").with_dry_run(DryRun::verbose)).events_json(), ElementsAre(1, 2));
  EXPECT_THAT(host.call(Message("changes").with_dry_run(DryRun::yes)).events_json(), IsEmpty());
}

TEST_F(Kit, ATypedHandlerAddsEventsAndAssignsThroughItsContext) {
  const Message back = host.call(Message::of("adds", Request{1}).with_dry_run(DryRun::verbose));
  EXPECT_EQ(back.response().value_as<int>(), 1);
  EXPECT_THAT(back.events_json(), ElementsAre("added"));
  EXPECT_EQ(back.assigned<std::string>("by"), "context");
}

TEST_F(Kit, C_D10_ValidateSetsDryRunAndLeavesVerboseAsItIs) {
  EXPECT_EQ(host.validate(Message("changes")).dry_run(), DryRun::yes);
  EXPECT_EQ(host.validate(Message("changes").with_dry_run(DryRun::verbose)).dry_run(), DryRun::verbose);
}

TEST_F(Kit, C_D1_ReturnsAHaltedMessageUntouched) {
  const Message back = host.call(Message("throws", Payload::of(1)).error("mine"));
  EXPECT_TRUE(back.response().is_error("mine"));
  EXPECT_FALSE(back.raw_request().empty());
}

TEST_F(Kit, AnswersServiceUnavailableOrMalformedForAServiceThatIsNotThere) {
  EXPECT_EQ(ask("nobody").kind(), Kind::service_unavailable);
  EXPECT_EQ(ask("nobody").service(), "nobody");
  EXPECT_TRUE(ask("No-Name").is_error("malformed"));
  EXPECT_THROW((void)host.begin("nobody"), std::invalid_argument) << "a slip of the test, not of a caller";
}

TEST_F(Kit, C_R3_AuthorizesBeforeTheHandler) {
  const auto with = [&](const char* word) { return ask(Message("throws").assign("word", word)); };
  EXPECT_TRUE(with("no").is_error("forbidden"));
  EXPECT_TRUE(with("never").is_error("too_late"));
  EXPECT_TRUE(with("wrong").is_bad_rpc("bad_return"));
  EXPECT_TRUE(with("throw").is_bad_rpc("exit"));
  EXPECT_EQ(with("throw").text(), "cannot decide");
  EXPECT_TRUE(host.authorized(Message("throws").assign("word", "yes"))) << "C-D11: the handler does not run";
  EXPECT_FALSE(host.authorized(Message("throws").assign("word", "no")));
}

TEST_F(Kit, C_R6_AnswersForAChosenNodeThatItIsNotThere) {
  EXPECT_TRUE(ask("elsewhere").is_bad_rpc("nodedown"));
  EXPECT_THAT(std::string(ask("elsewhere").text()), HasSubstr("node-b"));
}

TEST_F(Kit, AnswersBadReturnForAnAnswerThatAHostWouldNotTake) {
  EXPECT_TRUE(ask("bad_assigns").is_bad_rpc("bad_return"));
}

// ---------------------------------------------------------------------------------------------------- answers later

TEST_F(Kit, C_R4_IsAnsweredLaterOnce) {
  const kit::Pending pending = host.begin("later");
  EXPECT_FALSE(pending.ended());
  EXPECT_TRUE(Tested::handle->reply(Response::ok(1)));
  EXPECT_FALSE(Tested::handle->reply(Response::ok(2)));
  EXPECT_TRUE(pending.ended());
  EXPECT_EQ(pending.answer().response().value_as<int>(), 1);
}

TEST_F(Kit, C_R4_IsAnsweredFromAnotherThread) { EXPECT_EQ(host.call("from_thread").response().value_as<int>(), 3); }

TEST_F(Kit, C_R4_ADroppedHandleAnswersAtOnce) {
  const kit::Pending pending = host.begin("later");
  Tested::handle.reset();
  EXPECT_TRUE(pending.answer().response().is_bad_rpc("bad_return"));
  EXPECT_EQ(pending.answer().response().text(), "reply dropped");
}

TEST_F(Kit, C_D6_C_D13_AnAnswerThatComesTooLateIsTakenAndDiscarded) {
  const kit::Pending pending = host.begin("later", Request{}, 300ms);
  host.advance(299ms);
  EXPECT_FALSE(pending.ended());
  EXPECT_FALSE(Tested::handle->caller_gone());
  EXPECT_EQ(Tested::handle->time_left(), 1ms);
  host.advance(1ms);
  ASSERT_TRUE(pending.ended());
  EXPECT_TRUE(Tested::handle->caller_gone());
  EXPECT_TRUE(Tested::handle->reply(Response::ok(1)));
  const Response response = pending.answer().response();
  EXPECT_EQ(response.kind(), Kind::service_timeout);
  EXPECT_EQ(response.timeout_ms(), 300u);
  EXPECT_EQ(response.message_id(), pending.answer().id());
}

TEST_F(Kit, AHandlerSeesThatItsCallerHasGivenUp) {
  kit::Pending pending = host.begin("later");
  pending.give_up();
  EXPECT_TRUE(Tested::handle->caller_gone());
  EXPECT_TRUE(Tested::handle->reply(Response::ok(1)));
  EXPECT_EQ(pending.answer().response().kind(), Kind::none);
}

// -------------------------------------------------------------------------------------------------------------- time

TEST_F(Kit, C_D5_TimeStandsStillAndIsTheServicesOrTheCallers) {
  EXPECT_EQ(host.call("time_left").response().value_as<std::int64_t>(), 5'000'000);
  EXPECT_EQ(host.call("time_left", Request{}, 20ms).response().value_as<std::int64_t>(), 20'000);
  host.advance(1h);
  EXPECT_EQ(host.call("time_left").response().value_as<std::int64_t>(), 5'000'000);
  const kit::Pending pending = host.begin("later");
  EXPECT_EQ(Tested::handle->time_left(), 5s);
  host.advance(2s);
  EXPECT_EQ(Tested::handle->time_left(), 3s);
}

TEST_F(Kit, C_D5_AHandlerThatIsSlowMakesItsCallerTimeOut) {
  host.fake("other", [&](const Message&) {
    host.advance(5s);
    return Response::ok();
  });
  EXPECT_EQ(ask("asks").kind(), Kind::service_timeout);
  EXPECT_EQ(ask("asks").service(), "asks");
}

TEST_F(Kit, C_D8_ANestedCallNeverOutlastsItsParent) {
  host.fake("other", Response::ok());
  host.call("asks", nlohmann::json{{"timeout", 3'600'000}}, 700ms);
  host.call("asks", nlohmann::json{{"timeout", 200}}, 700ms);
  host.call("asks_by_host", Request{}, 700ms);
  const auto seen = host.dispatched("other");
  ASSERT_THAT(seen, SizeIs(3));
  EXPECT_EQ(seen[0].budget, 700ms);
  EXPECT_EQ(seen[1].budget, 200ms);
  EXPECT_EQ(seen[2].budget, 700ms) << "also where the handler does not say who causes it";
}

TEST_F(Kit, C_D8_WhatRanOutOfTimeIsNotStarted) {
  Message late("logs");
  late.with_deadline_us(1);
  EXPECT_EQ(ask(late).kind(), Kind::service_timeout);
  EXPECT_THAT(host.log(), SizeIs(1)) << "a line of the handler";

  int asked = 0;
  host.fake("other", [&](const Message&) {
    ++asked;
    host.advance(5s);
    return Response::ok();
  });
  EXPECT_EQ(ask("asks_twice").kind(), Kind::service_timeout);
  EXPECT_EQ(asked, 1);
}

// ------------------------------------------------------------------------------------------------------ nested calls

TEST_F(Kit, ANestedCallIsAnsweredByAFakeOrByNobody) {
  EXPECT_EQ(ask("asks").kind(), Kind::service_unavailable);
  host.fake("other", [](const Message& message) { return Response::ok(message.raw_request_as<Request>().number + 1); });
  EXPECT_EQ(ask("asks").value_as<int>(), 5);
  host.fake("other", Response::error("mine"));
  EXPECT_TRUE(ask("asks").is_error("mine"));
  host.fake("other", [](const Message&) -> Response { throw std::runtime_error("no luck"); });
  EXPECT_TRUE(ask("asks").is_bad_rpc("exit"));
}

TEST_F(Kit, C_M3_RecordsWhatWasDispatchedAndWhatCausedIt) {
  const Message sent = Message("asks").with_correlation("the-beginning");
  host.call(sent);
  ASSERT_THAT(host.dispatched(), SizeIs(1));
  const Message nested = host.dispatched("other").at(0).message;
  EXPECT_EQ(nested.correlation_id(), "the-beginning");
  EXPECT_EQ(nested.causation_id(), sent.id());
  EXPECT_NE(nested.id(), sent.id());
  EXPECT_EQ(nested.origin_node(), "test-node");
  EXPECT_EQ(nested.raw_request_as<Request>().number, 4);
  EXPECT_THAT(host.dispatched("another"), IsEmpty());
}

TEST_F(Kit, ARoutersOwnServicesAnswerItsNestedCallsUnlessFaked) {
  class Own final : public Router {
   public:
    Own() {
      service("outer", &Own::outer);
      private_service("inner", &Own::inner);
    }
    Authorization authorize(const Message&) override { return authorized(); }

   private:
    int outer(Context& context) { return context.call("inner", Request{}).response().value_as<int>(); }
    int inner() { return 6; }
  };
  kit::Host<Own> own;
  EXPECT_EQ(own.call("outer").response().value_as<int>(), 6);
  EXPECT_THAT(own.dispatched("inner"), SizeIs(1));
  own.fake("inner", Response::ok(7));
  EXPECT_EQ(own.call("outer").response().value_as<int>(), 7);
}

TEST_F(Kit, C_D14_ServicesThatCallEachOtherWithoutEndAreOverloaded) {
  class Endless final : public Router {
   public:
    Endless() {
      service("again", &Endless::again);
      service("again_async", &Endless::again_async);
    }
    Authorization authorize(const Message&) override { return authorized(); }

   private:
    Message again(Message& message, Context& context) {
      return message.respond(context.call("again", Request{}).response());
    }
    void again_async(Context& context) {
      context.dispatch_async(Message("again_async"), [](Message back) {
        if (!back.response().succeeded()) Tested::answers.push_back(back);
      });
    }
  };
  kit::Host<Endless> endless;
  EXPECT_TRUE(endless.call("again").response().is_error("overloaded"));
  EXPECT_TRUE(endless.call("again_async").response().succeeded());
  ASSERT_THAT(Tested::answers, SizeIs(1));
  EXPECT_TRUE(Tested::answers[0].response().is_error("overloaded"));
}

TEST_F(Kit, ASlowFakeMovesTheTimeOnAndASilentOneTimesOut) {
  host.fake("other", Response::ok(1), 4900ms);
  EXPECT_TRUE(ask("asks").succeeded());
  host.fake("other", Response::ok(1), kit::never);
  const Response response = ask("asks", {{"timeout", 100}});
  EXPECT_EQ(response.kind(), Kind::service_timeout);
  EXPECT_EQ(response.service(), "other");
  EXPECT_EQ(response.timeout_ms(), 100u);
}

TEST_F(Kit, C_D16_AnAsynchronousCallIsAnsweredWhenItsTimeComes) {
  host.fake("other", Response::ok(1));
  host.call("asks_later");
  ASSERT_THAT(Tested::answers, SizeIs(1)) << "at once";

  host.fake("other", Response::ok(2), 200ms);
  host.call("asks_later");
  host.advance(199ms);
  EXPECT_THAT(Tested::answers, SizeIs(1));
  host.advance(1ms);
  ASSERT_THAT(Tested::answers, SizeIs(2));
  EXPECT_EQ(Tested::answers[1].response().value_as<int>(), 2);

  host.fake("other", Response::ok(3), kit::never);
  host.call("asks_later", nlohmann::json{{"timeout", 50}});
  host.advance(1h);
  ASSERT_THAT(Tested::answers, SizeIs(3));
  EXPECT_EQ(Tested::answers[2].response().kind(), Kind::service_timeout);
  EXPECT_EQ(Tested::answers[2].response().timeout_ms(), 50u);
}

TEST_F(Kit, C_D17_AnInlineServiceAndACallbackMustNotWait) {
  host.fake("other", Response::ok(1));
  EXPECT_TRUE(ask("inline_asks").is_error("would_block"));
  host.call("asks_in_callback");
  ASSERT_THAT(Tested::answers, SizeIs(1));
  EXPECT_TRUE(Tested::answers[0].response().is_error("would_block"));
}

// -------------------------------------------------------------------------------------------------------------- life

TEST_F(Kit, StartsWithAConfigurationAndFailsWithTheTextOfStart) {
  kit::Host<Tested> configured({{"size", 3}});
  EXPECT_EQ(configured.log().at(0).text, R"(started with {"size":3})");
  kit::Host<Tested> braced{{{"size", {1, 2}}, {"other", "x"}}};
  EXPECT_EQ(braced.log().at(0).text, R"(started with {"other":"x","size":[1,2]})");
  kit::Host<Tested> one{{"size", 3}};
  EXPECT_EQ(one.log().at(0).text, R"(started with {"size":3})");
  kit::Host<Tested> json{nlohmann::json{{"size", 3}}};
  EXPECT_EQ(json.log().at(0).text, R"(started with {"size":3})");
  EXPECT_THROW(kit::Host<Tested>(nlohmann::json(7)), std::invalid_argument);
  try {
    kit::Host<Tested> refused({{"refuse", true}});
    FAIL() << "it was started";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "start failed: no database");
  }
  struct Unmade final : Router {
    Unmade() { throw std::runtime_error("no luck today"); }
  };
  EXPECT_THROW(kit::Host<Unmade>{}, std::runtime_error);
}

TEST_F(Kit, StopsOnceAndIsNotCalledAnyMore) {
  host.fake("other", Response::ok(1), 1h);
  host.call("asks_later");
  host.stop();
  EXPECT_THAT(Tested::answers, SizeIs(1)) << "what it asked of others is answered before";
  EXPECT_EQ(host.log().back().text, "stopped");
  EXPECT_THROW(host.call("double"), std::logic_error);
  EXPECT_NO_THROW(host.stop());
}

TEST_F(Kit, TellsOfReplyHandlesThatOutliveStop) {
  (void)host.begin("later");
  Tested::forget_at_stop = false;
  EXPECT_THROW(host.stop(), std::logic_error);
  Tested::handle.reset();
  EXPECT_NO_THROW(host.stop());
}

TEST_F(Kit, AReplyHandleMayOutliveEverything) {
  auto other = std::make_unique<kit::Host<Tested>>();
  const kit::Pending pending = other->begin("later", Request{});
  Tested::forget_at_stop = false;
  other.reset();
  EXPECT_TRUE(Tested::handle->reply(Response::ok(9)));
  Tested::handle.reset();
  EXPECT_EQ(pending.answer().response().value_as<int>(), 9);
}

TEST_F(Kit, TellsHealthAndKeepsTheLog) {
  EXPECT_TRUE(host.healthy().is_good());
  Tested::ill = true;
  EXPECT_EQ(host.healthy().reason(), "the disk is full");
  const Message sent("logs");
  host.call(sent);
  const kit::LogLine line = host.log().back();
  EXPECT_EQ(line.level, "warn");
  EXPECT_EQ(line.text, "look out");
  EXPECT_EQ(line.message_id, sent.id());
  EXPECT_EQ(host.log().front().message_id, "");
}

TEST_F(Kit, IsCalledFromManyThreads) {
  host.fake("other", Response::ok(1));
  std::vector<std::thread> callers;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 100; ++k) {
        if (host.call("double", Request{k}).response().value_as<int>() == 2 * k) ++right;
        if (ask("asks").succeeded()) ++right;
        if (host.call("from_thread").response().value_as<int>() == 3) ++right;
        host.advance(1us);
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(right, 1200);
}

}  // namespace
}  // namespace busbar
