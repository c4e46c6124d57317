// What a call that crosses keeps: who may call, what is validated, what is nested, who has given up.
#include <signal.h>

#include "system/support/callers.hpp"
#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;

class AcrossNodes : public ClusterTest {
 protected:
  /// One without plugins, which calls, and one with those.
  void start_two(const std::vector<std::string>& plugins, const char* service) {
    cluster.add("a");
    cluster.add("b", plugins);
    ASSERT_TRUE(cluster.wait_until_offered(service, {"b"}));
  }
};

TEST_F(AcrossNodes, C_R1_APrivateServiceIsRefusedToAPeerThatAsksForItByName) {
  start_two({"behaviours"}, "configured");
  EXPECT_EQ(cluster["b"].call("kept_private").status, 0) << "it is there";
  const Answer refused = cluster["a"].call("kept_private", Json::object(), {"--node", "b"});
  EXPECT_EQ(refused.status, 3) << refused.out;
  EXPECT_EQ(refused.kind(), "service_unavailable");
  EXPECT_EQ(cluster["a"].ask({"authorized", "kept_private"}).status, 3);
}

TEST_F(AcrossNodes, ACallThatGoesOnIsShownByWhoHasSentItAndByWhoServesIt) {
  start_two({"behaviours"}, "sleeps");
  Process caller = cluster["a"].start_busbar({"--json", "call", "sleeps", R"({"ms":1500})", "--timeout", "20000"});
  const auto only_call = [&](const char* node, const char* state) {
    Json found;
    EXPECT_TRUE(eventually([&] {
      const Json calls = cluster[node].ask({"calls"}).json["calls"];
      if (calls.size() == 1) found = calls[0];
      return found["state"] == state;
    })) << found;
    return found;
  };
  const Json served = only_call("b", "running"), sent = only_call("a", "sent");
  EXPECT_EQ(served["service"], "sleeps");
  EXPECT_EQ(served["caller"], "a");
  EXPECT_EQ(served["node"], "b");
  EXPECT_EQ(sent["node"], "b");
  EXPECT_EQ(sent["caller"], "local");
  EXPECT_EQ(sent["message_id"], served["message_id"]);
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->out;
  EXPECT_TRUE(eventually([&] { return cluster["a"].ask({"calls"}).json["calls"].empty(); }));
}

TEST_F(AcrossNodes, C_R3_TheProviderAuthorizesAndSeesTheAssigns) {
  start_two({"behaviours"}, "needs_assign");
  const TestHost& a = cluster["a"];
  const auto with_user = [](const std::string& user) {
    return std::vector<std::string>{"--assign", "user=\"" + user + "\""};
  };
  EXPECT_EQ(a.call("needs_assign", Json::object(), with_user("ada")).status, 0);
  EXPECT_EQ(a.call("needs_assign", Json::object(), with_user("eve")).status, 6);
  EXPECT_EQ(a.call("needs_assign").json["code"], "forbidden");
  EXPECT_EQ(a.call("forbidden_to_all").json["code"], "forbidden");
  EXPECT_EQ(a.call("refused_by_rule").json["code"], "closed_on_sundays");
  const Answer broken = a.call("authorize_throws");
  EXPECT_EQ(broken.json["kind"], "exit");
  EXPECT_THAT(broken.json["text"].get<std::string>(), HasSubstr("the doorman has fallen asleep"));
}

TEST_F(AcrossNodes, C_D11_AuthorizedAsksTheProvidersRouter) {
  start_two({"behaviours"}, "needs_assign");
  const TestHost& a = cluster["a"];
  const Answer yes = a.ask({"authorized", "needs_assign", "--assign", "user=\"ada\""});
  EXPECT_EQ(yes.status, 0) << yes.out;
  EXPECT_EQ(yes.json, Json({{"authorized", true}}));
  const Answer no = a.ask({"authorized", "needs_assign"});
  EXPECT_EQ(no.status, 6) << no.out;
  EXPECT_EQ(no.json, Json({{"authorized", false}}));
  EXPECT_EQ(a.ask({"authorized", "refused_by_rule"}).status, 6);
  EXPECT_EQ(a.ask({"authorized", "absent"}).status, 3);
}

TEST_F(AcrossNodes, C_D11_WhereOneProviderFailsToAnswerTheNextIsAskedAndWhenAllDoTheLastOneIsTold) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  cluster.add("c", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("unauthorizable_at", {"b", "c"}));
  const auto pid_of = [&](const char* name) { return cluster[name].process().pid(); };
  const auto authorized = [&](const Json& failing) {
    return cluster["a"].ask({"authorized", "unauthorizable_at", Json({{"pids", failing}}).dump()});
  };
  for (int i = 0; i < 20; ++i) {  // whom each asks first is chance
    const Answer answer = authorized({pid_of("b")});
    EXPECT_EQ(answer.status, 0) << answer.out;
    EXPECT_EQ(answer.json, Json({{"authorized", true}})) << answer.out;
  }
  const Answer failed = authorized({pid_of("b"), pid_of("c")});
  EXPECT_EQ(failed.status, 1) << failed.out;
  EXPECT_EQ(failed.json["code"], "badrpc") << failed.out;
  EXPECT_EQ(failed.json["kind"], "exit") << failed.out;
  EXPECT_THAT(failed.json.value("text", ""), HasSubstr("no doorman in ")) << failed.out;
}

TEST_F(AcrossNodes, C_D11_AuthorizedRunsNoHandler) {
  start_two({"placed"}, "dies_at");
  const Json itself = {{"pids", {cluster["b"].process().pid()}}};
  EXPECT_EQ(cluster["a"].ask({"authorized", "dies_at", itself.dump()}).json, Json({{"authorized", true}}));
  EXPECT_EQ(cluster["a"].call("where").status, 0) << "it lives";
}

TEST_F(AcrossNodes, C_D10_ValidateCrossesAsADryRun) {
  start_two({"behaviours"}, "shows_message");
  const Answer seen = cluster["a"].ask({"validate", "shows_message"});
  EXPECT_EQ(seen.status, 0) << seen.out;
  EXPECT_EQ(seen.json["value"]["dry_run"], "yes");
  const Answer verbose = cluster["a"].ask({"validate", "shows_message", "--dry-run=verbose"});
  EXPECT_EQ(verbose.json["value"]["dry_run"], "verbose");
  EXPECT_EQ(verbose.json["events"], Json({"first", "second"})) << "and its events come back (C-R5)";
  EXPECT_THAT(cluster["a"].busbar({"validate", "shows_message"}).err, HasSubstr("dry-run safe"));
}

TEST_F(AcrossNodes, C_D7_WhatAHandlerThrowsIsAnsweredAtOnce) {
  start_two({"behaviours"}, "throws");
  const Answer thrown = cluster["a"].call("throws", Json::object(), {"--timeout", "600000"});
  EXPECT_EQ(thrown.json["kind"], "exit") << thrown.out;
  EXPECT_THAT(thrown.json["text"].get<std::string>(), HasSubstr("the kettle has boiled over"));
  EXPECT_EQ(cluster["a"].call("says_nothing", Json::object(), {"--timeout", "600000"}).json["kind"], "bad_return");
  EXPECT_EQ(cluster["a"].call("drops_handle", Json::object(), {"--timeout", "600000"}).json["kind"], "bad_return");
}

TEST_F(AcrossNodes, AnAnswerLargerThanTheQueueGoesWhenNothingElseWaits) {
  cluster.add("a");
  TestHost& b = cluster.make("b");
  b.configure("[registry]\nheartbeat = \"200ms\"\nlost_after = \"10s\"\n[limits]\npeer_queue = \"64KiB\"\n");
  b.add("behaviours");
  cluster.start("b");
  ASSERT_TRUE(cluster.wait_until_offered("big", {"b"}));
  const Answer big = cluster["a"].call("big", {{"ms", 200}});
  EXPECT_EQ(big.status, 0) << big.out.substr(0, 1000);
  EXPECT_EQ(big.json["value"].get<std::string>().size(), 200u * 1024);
}

class NestedAcross : public ClusterTest {
 protected:
  static Json passed(const std::string& service, const Json& request) {
    return {{"service", service}, {"request", request}};
  }
};

TEST_F(NestedAcross, C_D14_CallsThatCrossAndComeBackAreAnsweredAlsoWithOneThreadEach) {
  for (const auto& [name, plugin] : {std::pair("a", "behaviours"), std::pair("b", "placed")}) {
    TestHost& host = cluster.make(name);
    host.configure("[registry]\nheartbeat = \"200ms\"\nlost_after = \"10s\"\n[pool]\nthreads = 1\n");
    host.add(plugin);
    cluster.start(name);
  }
  ASSERT_TRUE(cluster.wait_until_offered("nests", {"a"}));
  ASSERT_TRUE(cluster.wait_until_offered("passes_on", {"b"}));
  // Here to b, from there to a, from there to b, and again.
  Json request = passed("nests", passed("where", Json::object()));
  const Answer twice = cluster["a"].call("passes_on", request);
  EXPECT_EQ(twice.status, 0) << twice.out;
  EXPECT_EQ(twice.json["value"]["value"], cluster["b"].process().pid());
  for (int depth = 0; depth < 3; ++depth) request = passed("nests", passed("passes_on", request));
  const Answer deep = cluster["a"].call("passes_on", request);
  EXPECT_EQ(deep.status, 0) << deep.out;
  EXPECT_THAT(deep.out, HasSubstr(std::to_string(cluster["b"].process().pid())));
}

TEST_F(NestedAcross, C_D8_ACallThatComesBackNeverOutlastsTheOneThatCausedIt) {
  cluster.add("a", {"behaviours"});
  cluster.add("b", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("nests", {"a"}));
  ASSERT_TRUE(cluster.wait_until_offered("passes_on", {"b"}));
  // "holds" ends as soon as its caller has given up, which names ten minutes and has one second.
  Json nested = passed("holds", Json::object());
  nested["timeout_ms"] = 600'000;
  const Answer answer = cluster["a"].call("passes_on", passed("nests", nested), {"--timeout", "1000"});
  EXPECT_EQ(answer.kind(), "service_timeout") << answer.out;
  EXPECT_TRUE(eventually([&] { return cluster["b"].call("counts").json["value"]["left"] == 1; }));
}

class CancelAcross : public ClusterTest {
 protected:
  Json counts() { return cluster["b"].call("counts").json["value"]; }
  void expect_that_the_handler_sees_the_end_of(Process& caller) {
    ASSERT_TRUE(eventually([&] { return counts()["held"] == 1; }));
    EXPECT_EQ(counts()["left"], 0);
    caller.signal(SIGINT);
    EXPECT_TRUE(caller.wait());
    EXPECT_TRUE(eventually([&] { return counts()["left"] == 1; })) << "far sooner than its ten minutes";
  }
};

TEST_F(CancelAcross, C_D8_AHandlerElsewhereSeesThatItsCallerWasInterrupted) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("holds", {"b"}));
  Process caller = cluster["a"].start_busbar({"call", "holds", "--timeout", "600000"});
  expect_that_the_handler_sees_the_end_of(caller);
}

TEST_F(CancelAcross, C_D8_AHandlerSeesThatItsCallersNodeWasKilled) {
  cluster.add("b", {"placed"});
  cluster.add("a");
  ASSERT_TRUE(cluster.wait_until_offered("holds", {"b"}));
  const Process caller = cluster["a"].start_busbar({"call", "holds", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return counts()["held"] == 1; }));
  cluster.kill("a");
  EXPECT_TRUE(eventually([&] { return counts()["left"] == 1; }));
}

TEST_F(CancelAcross, C_D8_AHandlerSeesThatItsCallersNodeIsSilent) {
  for (const char* name : {"a", "b"}) {
    TestHost& host = cluster.make(name);
    host.configure("[registry]\nheartbeat = \"200ms\"\nlost_after = \"2s\"\n");
    if (name == std::string("b")) host.add("placed");
    cluster.start(name);
  }
  ASSERT_TRUE(cluster.wait_until_offered("holds", {"b"}));
  Process caller = cluster["a"].start_busbar({"call", "holds", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return counts()["held"] == 1; }));
  Frozen frozen(cluster["a"]);
  EXPECT_TRUE(eventually([&] { return counts()["left"] == 1; })) << "its connections stand";
  // It lives on: its call has ended, and it is known and served again.
  frozen.wake();
  EXPECT_TRUE(caller.wait());
  EXPECT_THAT(caller.out(), HasSubstr("nodedown"));
  EXPECT_TRUE(eventually([&] { return cluster["a"].call("where").status == 0; }));
}

TEST_F(CancelAcross, C_D8_AHandlerBehindTheEntryNodeOfAClientSeesItToo) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("holds", {"b"}));
  Command command;
  command.arguments = {tested::busbar(), "--connect", cluster_status(cluster["a"], "address"), "call", "holds",
                       "--timeout",      "600000"};
  command.scratch = cluster["a"].root() / "said";
  Process caller(command);
  expect_that_the_handler_sees_the_end_of(caller);
}

}  // namespace
}  // namespace busbar::system_tests
