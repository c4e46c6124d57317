// Handlers: each signature, each return kind, and what goes wrong.
#include <busbar/plugin.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "support/fake_host.hpp"

namespace busbar {
namespace {

using nlohmann::json;
using testing::FakeHost;
using ::testing::HasSubstr;
using testing::OwnedRouter;

struct Request {
  int number = 0;
  std::optional<std::string> note;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number), CEREAL_NVP(note));
  }
  void validate(Problems& problems) const {
    if (number < 0) problems.add("number", "0 or more", std::to_string(number));
  }
};

struct Line {
  int amount = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(amount));
  }
};

struct Order {
  std::vector<Line> lines;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(lines));
  }
  void validate(Problems& problems) const {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].amount < 1)
        problems.add("lines[" + std::to_string(i) + "].amount", "1 or more", std::to_string(lines[i].amount));
    }
  }
};

struct Answer {
  int doubled = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(doubled));
  }
};

class Handlers final : public Router {
 public:
  inline static std::optional<ReplyHandle> kept;

  Handlers() {
    service("nothing", &Handlers::nothing);
    service("request", &Handlers::request);
    service("order", &Handlers::order);
    service("request_by_value", &Handlers::request_by_value);
    service("request_context", &Handlers::request_context);
    service("message", &Handlers::message);
    service("message_const", &Handlers::message_const);
    service("message_by_value", &Handlers::message_by_value);
    service("message_context", &Handlers::message_context);
    service("context", &Handlers::context);
    service("const_handler", &Handlers::const_handler);
    service("plain_type", &Handlers::plain_type);

    service("returns_void", &Handlers::returns_void);
    service("returns_void_with_message", &Handlers::returns_void_with_message);
    service("returns_some", &Handlers::returns_some);
    service("returns_none", &Handlers::returns_none);
    service("returns_response", &Handlers::returns_response);
    service("returns_empty_response", &Handlers::returns_empty_response);
    service("returns_message", &Handlers::returns_message);
    service("returns_message_without_response", &Handlers::returns_message_without_response);
    service("returns_no_reply", &Handlers::returns_no_reply);
    service("returns_large", &Handlers::returns_large);
    service("returns_bad_text", &Handlers::returns_bad_text);

    service("throws", &Handlers::throws);
    service("throws_int", &Handlers::throws_int);
    service("replies_and_throws", &Handlers::replies_and_throws);
  }
  Authorization authorize(const Message& message) override {
    if (message.assigned<bool>("throw").value_or(false)) throw std::runtime_error("cannot decide");
    if (message.assigned<bool>("refuse").value_or(false)) return refused("too_late", "tomorrow");
    if (message.assigned<bool>("forbid").value_or(false)) return forbidden();
    return authorized();
  }

 private:
  int nothing() { return 1; }
  Answer request(const Request& r) { return {2 * r.number}; }
  int order(const Order& order) { return static_cast<int>(order.lines.size()); }
  Answer request_by_value(Request r) { return {2 * r.number}; }
  Answer request_context(const Request& r, Context& c) {
    EXPECT_EQ(c.node(), "test-node");
    EXPECT_EQ(c.time_left().count(), 1'500'000);
    EXPECT_FALSE(c.caller_gone());
    EXPECT_EQ(c.message().service_name(), "request_context");
    return {2 * r.number};
  }
  int message(Message& m) {
    m.assign("left", 1);
    m.add_event(1);
    return 5;
  }
  int message_const(const Message& m) { return m.raw_request_as<Request>().number; }
  int message_by_value(Message m) { return m.raw_request_as<Request>().number; }
  int message_context(Message& m, Context& c) { return &c.message() == &m ? 1 : 0; }
  std::string context(const Context& c) { return std::string(c.message().id()); }
  int const_handler() const { return 3; }
  int plain_type(int number) { return number + 1; }

  void returns_void() {}
  void returns_void_with_message(Message& m) { m.error("mine", "from the message"); }
  std::optional<int> returns_some() { return 4; }
  std::optional<int> returns_none() { return std::nullopt; }
  Response returns_response() { return Response::created("new-id", 3); }
  Response returns_empty_response() { return {}; }
  Message returns_message(Message& m) { return m.assign("k", 2).add_event(1).add_event(2).ok(7, 8); }
  Message returns_message_without_response(Message& m) { return m; }
  NoReply returns_no_reply(Context& c) {
    kept.emplace(c.reply_handle());
    return no_reply;
  }
  std::string returns_large() { return std::string(100'000, 'l'); }
  std::string returns_bad_text() { return "\xff\xfe"; }

  int throws() { throw std::runtime_error("no luck"); }
  int throws_int() { throw 5; }
  int replies_and_throws(Context& c) {
    EXPECT_TRUE(c.reply_handle().reply(Response::ok(1)));
    throw std::runtime_error("afterwards");
  }
};

class Handler : public ::testing::Test {
 protected:
  FakeHost::Outcome call(std::string_view service, Payload request = Payload::from_json({{"number", 21}})) {
    return host.handle(*router, Message(service, std::move(request)));
  }
  json value(std::string_view service) {
    const auto outcome = call(service);
    EXPECT_EQ(outcome.returned, BUSBAR_REPLIED);
    EXPECT_EQ(outcome.response->kind(), Response::Kind::ok) << outcome.response->text();
    return outcome.response->value().to_json();
  }
  FakeHost host;
  OwnedRouter router{host.create<Handlers>()};
};

TEST_F(Handler, MayTakeNothingARequestTheMessageOrTheContext) {
  ASSERT_NE(router, nullptr) << host.error;
  EXPECT_EQ(value("nothing"), 1);
  EXPECT_EQ(value("request"), (json{{"doubled", 42}}));
  EXPECT_EQ(value("request_by_value"), (json{{"doubled", 42}}));
  EXPECT_EQ(value("request_context"), (json{{"doubled", 42}}));
  EXPECT_EQ(value("message"), 5);
  EXPECT_EQ(value("message_const"), 21);
  EXPECT_EQ(value("message_by_value"), 21);
  EXPECT_EQ(value("message_context"), 1);
  EXPECT_EQ(value("context").get<std::string>().size(), 22u);
  EXPECT_EQ(value("const_handler"), 3);
  EXPECT_EQ(call("plain_type", Payload::of(9)).response->value().to_json(), 10);
}

TEST_F(Handler, AnswersABareOkForVoid) {
  const auto outcome = call("returns_void");
  EXPECT_EQ(outcome.response->kind(), Response::Kind::ok);
  EXPECT_TRUE(outcome.response->value().empty());
}

TEST_F(Handler, AnswersWhatItPutOnTheMessageForVoid) {
  const auto outcome = call("returns_void_with_message");
  EXPECT_TRUE(outcome.response->is_error("mine")) << "an error that it set must not be answered as ok";
}

TEST_F(Handler, AnswersTheValueOfAnOptionalOrABareOk) {
  EXPECT_EQ(value("returns_some"), 4);
  EXPECT_TRUE(call("returns_none").response->value().empty());
  EXPECT_EQ(call("returns_none").response->kind(), Response::Kind::ok);
}

TEST_F(Handler, AnswersAResponseAsItIs) {
  const auto outcome = call("returns_response");
  EXPECT_EQ(outcome.response->id(), "new-id");
  EXPECT_EQ(outcome.response->version(), 3);
}

TEST_F(Handler, C_D7_AnswersBadReturnForAResponseThatSaysNothing) {
  EXPECT_TRUE(call("returns_empty_response").response->is_bad_rpc("bad_return"));
  EXPECT_TRUE(call("returns_message_without_response").response->is_bad_rpc("bad_return"));
}

TEST_F(Handler, C_R4_AnswersAMessageWithItsResponseAssignsAndEvents) {
  const auto outcome = call("returns_message");
  EXPECT_EQ(outcome.response->value_as<int>(), 7);
  EXPECT_EQ(outcome.response->version(), 8);
  EXPECT_EQ(outcome.assigns->to_json(), (json{{"k", 2}}));
  EXPECT_EQ(outcome.events, (std::vector<json>{1, 2}));
}

TEST_F(Handler, AnswersTheAssignsAndEventsThatItLeftOnTheMessage) {
  const auto outcome = call("message");
  EXPECT_EQ(outcome.assigns->to_json(), (json{{"left", 1}}));
  EXPECT_EQ(outcome.events, (std::vector<json>{1}));
  EXPECT_FALSE(call("nothing").assigns) << "unchanged ones are not sent back";
}

TEST_F(Handler, C_R4_AnswersLaterThroughAHandle) {
  const auto outcome = call("returns_no_reply");
  EXPECT_EQ(outcome.returned, BUSBAR_NO_REPLY);
  EXPECT_FALSE(outcome.response);
  EXPECT_EQ(outcome.holders, 1);
  EXPECT_TRUE(Handlers::kept->reply(Response::ok(1)));
  EXPECT_FALSE(Handlers::kept->reply(Response::ok(2)));
  ReplyHandle moved(std::move(*Handlers::kept));
  Handlers::kept.reset();
  EXPECT_FALSE(moved.reply(Response::ok(3)));
}

TEST_F(Handler, EncodesItsValueIntoTheHostsBuffer) {
  EXPECT_TRUE(call("request").in_buffer);
  const auto outcome = call("returns_large");
  EXPECT_TRUE(outcome.in_buffer);
  EXPECT_EQ(outcome.response->value_as<std::string>().size(), 100'000u);
}

TEST_F(Handler, AnswersValidationErrorForARequestThatDoesNotFit) {
  const auto outcome = call("request", Payload::from_json({{"number", "x"}}));
  EXPECT_EQ(outcome.response->kind(), Response::Kind::validation_error);
  EXPECT_EQ(outcome.response->value().to_json()[0]["path"], "number");
  EXPECT_EQ(call("request", Payload()).response->kind(), Response::Kind::validation_error);
}

TEST_F(Handler, AnswersValidationErrorForARequestThatItsOwnValidateRefuses) {
  const auto outcome = call("request", Payload::from_json({{"number", -3}}));
  EXPECT_EQ(outcome.response->kind(), Response::Kind::validation_error);
  EXPECT_EQ(outcome.response->value().to_json(),
            (json{{{"path", "number"}, {"expected", "0 or more"}, {"found", "-3"}}}));
}

TEST_F(Handler, AnswersAllThatItsOwnValidateRefuses) {
  const auto outcome =
      call("order", Payload::from_json({{"lines", {{{"amount", 0}}, {{"amount", 1}}, {{"amount", 0}}}}}));
  EXPECT_EQ(outcome.response->kind(), Response::Kind::validation_error);
  EXPECT_EQ(outcome.response->value().to_json(),
            (json{{{"path", "lines[0].amount"}, {"expected", "1 or more"}, {"found", "0"}},
                  {{"path", "lines[2].amount"}, {"expected", "1 or more"}, {"found", "0"}}}));
}

TEST_F(Handler, AnswersAllThatDoesNotFitAcrossNestedArrays) {
  const auto outcome =
      call("order", Payload::from_json({{"lines", {{{"amount", "x"}}, {{"amount", 0}}, json::object(), 7}}}));
  EXPECT_EQ(outcome.response->kind(), Response::Kind::validation_error);
  EXPECT_EQ(outcome.response->value().to_json(),
            (json{{{"path", "lines[0].amount"}, {"expected", "integer"}, {"found", "text"}},
                  {{"path", "lines[2].amount"}, {"expected", "integer"}, {"found", "nothing"}},
                  {{"path", "lines[3]"}, {"expected", "map"}, {"found", "integer 7"}}}));
}

TEST_F(Handler, AnswersMalformedForARequestThatIsNoCbor) {
  EXPECT_TRUE(call("request", Payload::own({0xa1, 0x61})).response->is_error("malformed"));
  EXPECT_TRUE(call("request", Payload::own({0xff})).response->is_error("malformed"));
}

TEST_F(Handler, C_D7_AnswersBadRpcExitForWhateverIsThrown) {
  const auto outcome = call("throws");
  EXPECT_EQ(outcome.returned, BUSBAR_REPLIED);
  EXPECT_TRUE(outcome.response->is_bad_rpc("exit"));
  EXPECT_EQ(outcome.response->text(), "no luck");
  EXPECT_TRUE(call("throws_int").response->is_bad_rpc("exit"));
  EXPECT_TRUE(call("returns_bad_text").response->is_bad_rpc("exit"));
}

TEST_F(Handler, C_R4_AnAnswerThatWasGivenBeforeAThrowStands) {
  const auto outcome = call("replies_and_throws");
  EXPECT_TRUE(outcome.response->succeeded());
  EXPECT_EQ(outcome.refused, 1);
}

TEST_F(Handler, C_R3_IsAuthorizedForbiddenRefusedOrFails) {
  const auto ask = [&](const char* key) { return host.authorize(*router, Message("nothing").assign(key, true)); };
  EXPECT_EQ(ask("anything").returned, BUSBAR_AUTHORIZED);
  EXPECT_FALSE(ask("anything").response);
  EXPECT_EQ(ask("forbid").returned, BUSBAR_FORBIDDEN);
  EXPECT_EQ(ask("refuse").returned, BUSBAR_REFUSED);
  EXPECT_TRUE(ask("refuse").response->is_error("too_late"));
  EXPECT_EQ(ask("throw").returned, BUSBAR_REFUSED);
  EXPECT_TRUE(ask("throw").response->is_bad_rpc("exit"));
}

}  // namespace
}  // namespace busbar
