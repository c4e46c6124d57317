// Handlers of every kind, through a whole host.
#include <signal.h>

#include "system/support/raw_client.hpp"
#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;

class Handlers : public SystemTest {
 protected:
  void start(std::string_view toml = "[shutdown]\ntimeout = \"1s\"\n") {
    host.configure(toml);
    for (const char* name : {"behaviours", "greeter", "echo"}) host.add(name);
    host.start();
  }
  Process start_call(const std::string& service, const Json& request, const std::string& timeout_ms = "60000") {
    return host.start_busbar({"--json", "call", service, request.dump(), "--timeout", timeout_ms});
  }
  bool is_waiting_for(const std::string& key) {
    return eventually([&] { return host.log().find("waiting for " + key) != std::string::npos; });
  }
  long running() { return host.plugin("behaviours.so").value("calls_running", -1L); }
  void expect_bad_rpc(const std::string& service, const std::string& kind, const std::string& text) {
    const Answer answer = host.call(service, Json::object(), {"--timeout", "60000"});
    EXPECT_EQ(answer.status, 1) << service;
    EXPECT_EQ(answer.json["code"], "badrpc") << service;
    EXPECT_EQ(answer.json["kind"], kind) << service;
    EXPECT_THAT(answer.json["text"].get<std::string>(), HasSubstr(text)) << service;
    EXPECT_LT(answer.json["duration_us"], 30'000'000) << service << ": at once, not after the timeout";
  }
};

Json answer_of(Process& caller) {
  const auto ended = caller.wait();
  if (!ended) return "the call did not end";
  Json json = Json::parse(ended->out, nullptr, false);
  return json.is_object() ? json : Json(ended->out + ended->err);
}

// -- failures

TEST_F(Handlers, C_D7_OneThatThrowsAnswersAtOnce) {
  start();
  expect_bad_rpc("throws", "exit", "the kettle has boiled over");
  expect_bad_rpc("throws_number", "exit", "");
  expect_bad_rpc("says_nothing", "bad_return", "says nothing");
  expect_bad_rpc("authorize_throws", "exit", "the doorman has fallen asleep");
  EXPECT_EQ(host.plugin("behaviours.so")["errors"], 4);
}

TEST_F(Handlers, C_R4_ADroppedHandleAnswersAtOnce) {
  start();
  expect_bad_rpc("drops_handle", "bad_return", "reply dropped");
  expect_bad_rpc("takes_no_handle", "bad_return", "reply dropped");
}

TEST_F(Handlers, C_R4_OnlyTheFirstAnswerCounts) {
  start();
  EXPECT_EQ(host.call("answers_twice").json["value"], "first");
  EXPECT_EQ(host.call("answers_twice_in_thread").json["value"], "first");
  EXPECT_EQ(host.call("second_answers_taken").json["value"], 0);
}

TEST_F(Handlers, C_R3_WhatIsNotAuthorizedIsNotRun) {
  start();
  EXPECT_EQ(host.call("forbidden_to_all").json["code"], "forbidden");
  EXPECT_EQ(host.call("refused_by_rule").json["text"], "come back tomorrow");
}

// -- time

TEST_F(Handlers, C_D5_OneThatNeverReturnsTimesOutAndTheHostStillStops) {
  start();
  const Answer answer = host.call("never_returns", Json::object(), {"--timeout", "100"});
  EXPECT_EQ(answer.status, 4);
  EXPECT_EQ(answer.kind(), "service_timeout");
  EXPECT_EQ(answer.json["service"], "never_returns");
  EXPECT_EQ(answer.json["timeout_ms"], 100);
  EXPECT_EQ(answer.json["message_id"].get<std::string>().size(), 22U);
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0);
  EXPECT_EQ(running(), 1);
  EXPECT_THAT(host.stop().err, HasSubstr("handlers that have not ended"));
}

TEST_F(Handlers, C_D5_AServiceMayHaveATimeoutOfItsOwn) {
  start();
  EXPECT_EQ(host.call("own_timeout", {{"ms", 400}}).json["timeout_ms"], 50);
  EXPECT_EQ(host.call("own_timeout", {{"ms", 400}}, {"--timeout", "60000"}).status, 0);
}

TEST_F(Handlers, C_D6_ALateReplyReachesNobody) {
  start();
  EXPECT_EQ(host.call("answers_later", {{"ms", 1500}, {"answer", "old"}}, {"--timeout", "500"}).status, 4);
  EXPECT_EQ(host.call("sleeps", {{"ms", 1500}, {"answer", "old"}}, {"--timeout", "500"}).status, 4);
  // Until both late ones have come, every other call gets its own answer.
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(host.call("answers_later", {{"ms", 1}, {"answer", "new"}}).json["value"], "new");
    return host.call("late_answers_refused").json["value"] == 1 && running() == 0;
  }));
}

TEST_F(Handlers, C_D6_AlsoNotTheSameMessageWhenItIsDispatchedAgain) {
  start();
  const RawClient client(host.socket());
  wire::AdminRequest request;
  request.verb = "call";
  request.service = "answers_later";
  request.id = "the-same-message";
  const auto answer_to = [&](std::uint64_t seq, int ms, const char* text, std::uint32_t timeout_ms) {
    request.seq = seq;
    request.timeout_ms = timeout_ms;
    request.request = cbor::from_json(Json{{"ms", ms}, {"answer", text}});
    client.send(wire::frame_of(request));
    const auto answer = client.receive();
    EXPECT_TRUE(answer && answer->reply && answer->seq == seq);
    return wire::from_wire(answer->reply->response);
  };
  EXPECT_EQ(answer_to(1, 200, "old", 20).kind(), Response::Kind::service_timeout);
  EXPECT_EQ(answer_to(2, 600, "new", 60'000).value_as<std::string>(), "new");
}

TEST_F(Handlers, C_D13_AnAnswerFromAnotherThreadIsInTimeOrTimesOut) {
  start();
  EXPECT_EQ(host.call("answers_later", {{"ms", 50}, {"answer", "in time"}}).json["value"], "in time");
  EXPECT_EQ(host.call("answers_later", {{"ms", 400}}, {"--timeout", "40"}).status, 4);
}

TEST_F(Handlers, C_D8_ANestedCallNeverOutlastsItsParent) {
  start();
  Process outer =
      start_call("nests", {{"service", "waits_for"}, {"request", {{"key", "end"}}}, {"timeout_ms", 60'000}}, "300");
  ASSERT_TRUE(is_waiting_for("end"));
  // Both end in the same moment: the outer handler may just be able to say so.
  const Json outcome = answer_of(outer);
  EXPECT_TRUE(outcome["response"] == "service_timeout" || outcome["value"]["timed_out"] == true) << outcome;
  // The outer handler has come back from its dispatch: only the inner one still runs.
  EXPECT_TRUE(eventually([&] { return running() == 1; }));
  EXPECT_EQ(host.call("opens", {{"key", "end"}}).status, 0);
  EXPECT_TRUE(eventually([&] { return running() == 0; }));
}

TEST_F(Handlers, C_D8_AHandlerSeesThatItsCallerIsGone) {
  start();
  {
    Process caller = start_call("answers_nobody", Json::object(), "3600000");
    ASSERT_TRUE(is_waiting_for("nobody")) << "a call whose caller goes before that is not started";
  }  // killed
  EXPECT_TRUE(eventually([&] { return host.call("late_answers_refused").json["value"] == 1; }));
}

// -- the pool

TEST_F(Handlers, TwoThatSleepDoNotHoldUpAThird) {
  start("[pool]\nthreads = 1\n");
  Process first = start_call("waits_for", {{"key", "a"}});
  Process second = start_call("waits_for", {{"key", "b"}});
  ASSERT_TRUE(is_waiting_for("a") && is_waiting_for("b"));
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).json["value"]["text"], "Hello, Ada!");
  EXPECT_EQ(host.ask({"status"}).json["pool"]["threads"], 1);
  EXPECT_GE(host.ask({"status"}).json["pool"]["live"], 3);
  for (const char* key : {"a", "b"}) EXPECT_EQ(host.call("opens", {{"key", key}}).status, 0);
  EXPECT_EQ(answer_of(first)["value"], "a is open");
  EXPECT_EQ(answer_of(second)["value"], "b is open");
}

TEST_F(Handlers, C_D14_NestedCallsGoAsDeepAsThePoolAllowsAndNoDeeper) {
  start("[pool]\nthreads = 1\nmax_threads = 6\n");
  EXPECT_EQ(host.call("recurses", {{"depth", 4}}).json["value"], 4);
  const Answer deep = host.call("recurses", {{"depth", 20}}, {"--timeout", "60000"});
  EXPECT_EQ(deep.status, 1);
  EXPECT_THAT(deep.out, HasSubstr("overloaded"));
  EXPECT_LT(deep.json["duration_us"], 30'000'000) << "at once";
  EXPECT_EQ(host.call("recurses", {{"depth", 4}}).json["value"], 4) << "it recovers";
}

TEST_F(Handlers, C_D15_AFullQueueIsToldAtOnce) {
  start("[pool]\nthreads = 1\nmax_threads = 1\nqueue = 1\n");
  Process running_one = start_call("sleeps", {{"ms", 3'000}});
  ASSERT_TRUE(eventually([&] { return host.ask({"status"}).json["pool"]["running"] == 1; }));
  Process queued = start_call("greet", {{"name", "Ada"}});
  ASSERT_TRUE(eventually([&] { return host.ask({"status"}).json["pool"]["queued"] == 1; }));
  const Answer refused = host.call("greet", {{"name", "Eve"}}, {"--timeout", "60000"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.out, HasSubstr("overloaded"));
  EXPECT_EQ(answer_of(running_one)["value"], "slept");
  EXPECT_EQ(answer_of(queued)["value"]["text"], "Hello, Ada!");
}

// -- inline

TEST_F(Handlers, C_D17_AnInlineServiceMayNotBlock) {
  start();
  EXPECT_EQ(host.call("inline_waits").json["value"], "would_block");
}

TEST_F(Handlers, C_D17_ASlowInlineServiceIsMovedToThePool) {
  start();
  const auto is_inline = [&] {
    const Json all = host.ask({"services"}).json;
    for (const Json& service : all["services"]) {
      if (service["name"] == "inline_slow") return service["inline"].get<bool>();
    }
    return false;
  };
  EXPECT_TRUE(is_inline());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(host.call("inline_slow").json["value"], "at last");
  EXPECT_FALSE(is_inline());
  EXPECT_EQ(host.call("inline_slow").json["value"], "at last");
  EXPECT_THAT(host.log(), HasSubstr("inline service broke its promise"));
}

// -- what else a router may say, and see

TEST_F(Handlers, C_D4_WhenTheOnlyProviderSendsTheCallElsewhereNobodyIsLeft) {
  start();
  const Answer answer = host.call("answers_kind", {{"key", "try_another_node"}});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.json["code"], "no_nodes_available");
  EXPECT_EQ(answer.json["nodes"], Json::array({{{"node", "local"}, {"reason", "too hot here"}}}));
}

TEST_F(Handlers, C_M2_C_M9_AMessageKeepsItsCorrelationAndComesBackWithItsAssigns) {
  start();
  const Answer answer = host.call("shows_message", Json::object(), {"--assign", "user=\"ada\""});
  EXPECT_EQ(answer.json["value"]["correlation_id"], answer.json["message_id"]);
  EXPECT_EQ(answer.json["value"]["causation_id"], answer.json["message_id"]);
  EXPECT_EQ(answer.json["value"]["has_time_left"], true);
  EXPECT_EQ(answer.json["value"]["caller_gone"], false);
  EXPECT_EQ(answer.json["correlation_id"], answer.json["message_id"]);
  EXPECT_EQ(answer.json["assigns"], Json({{"user", "ada"}, {"seen_by", "behaviours"}}));
  EXPECT_FALSE(answer.json.contains("request"));
}

TEST_F(Handlers, C_R5_EventsComeBackWithAVerboseDryRunOnly) {
  start();
  EXPECT_FALSE(host.call("shows_message").json.contains("events"));
  EXPECT_FALSE(host.call("shows_message", Json::object(), {"--dry-run"}).json.contains("events"));
  const Answer verbose = host.call("shows_message", Json::object(), {"--dry-run=verbose"});
  EXPECT_EQ(verbose.json["events"], Json::array({"first", "second"}));
  EXPECT_EQ(verbose.json["value"]["dry_run"], "verbose");
}

TEST_F(Handlers, C_D10_ValidateMakesItADryRunAndWarnsOfServicesThatDoNotKnowIt) {
  start();
  const Answer answer = host.ask({"validate", "shows_message"});
  EXPECT_EQ(answer.json["value"]["dry_run"], "yes");
  EXPECT_THAT(answer.json["warning"].get<std::string>(), HasSubstr("dry-run safe"));
  EXPECT_THAT(host.busbar({"validate", "shows_message"}).err, HasSubstr("dry-run safe"));
  EXPECT_FALSE(host.ask({"validate", "echo"}).json.contains("warning"));
  EXPECT_EQ(host.ask({"validate", "shows_message", "{}", "--dry-run=verbose"}).json["value"]["dry_run"], "verbose");
}

TEST_F(Handlers, C_D11_AuthorizedAsksTheRouterAndNotTheService) {
  start();
  EXPECT_EQ(host.ask({"authorized", "never_returns"}).json, Json({{"authorized", true}}));
  EXPECT_EQ(host.ask({"authorized", "forbidden_to_all"}).json, Json({{"authorized", false}}));
  EXPECT_EQ(host.ask({"authorized", "needs_assign", "{}", "--assign", "user=\"ada\""}).status, 0);
  EXPECT_EQ(host.ask({"authorized", "nobody_has_this"}).status, 3);
  const Answer failed = host.ask({"authorized", "authorize_throws"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.json["code"], "badrpc");
}

TEST_F(Handlers, WhatAHandlerLogsCarriesItsPluginAndTheMessagesIds) {
  start();
  const Answer answer = host.call("logs", {{"key", "50 % done\nforged line"}});
  const std::string id = answer.json["message_id"];
  EXPECT_THAT(host.log(), HasSubstr("plugin.behaviours: 50 % done\\nforged line"));
  EXPECT_THAT(host.log(), HasSubstr("message_id=" + id));
  EXPECT_THAT(host.log(), HasSubstr("correlation_id=" + id));
}

}  // namespace
}  // namespace busbar::system_tests
