// Where the time of a call went, as people are told it: of one that was to be explained, and of one that timed out.
#include "system/support/callers.hpp"
#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;

Json step(const char* service, const Json& request, int timeout_ms = 0) {
  return {{"service", service}, {"request", request}, {"timeout_ms", timeout_ms}};
}

class Explain : public ClusterTest {
 protected:
  /// a asks walk_b at b, which asks walk_c at c.
  void start_three() {
    cluster.add("a");
    cluster.add("b", {"walk_b"});
    cluster.add("c", {"walk_c", "walk_alone"});
    ASSERT_TRUE(cluster.wait_until_offered("walk_b", {"b"}));
    ASSERT_TRUE(cluster.wait_until_offered("walk_c", {"c"}));
    ASSERT_TRUE(cluster.wait_until_offered("walk_alone", {"c"}));
  }
  static const Json& hop(const Json& explained, const std::string& service) {
    static const Json none;
    for (const Json& row : explained["hops"]) {
      if (row["service"] == service) return row;
    }
    ADD_FAILURE() << "no hop of " << service << " in " << explained;
    return none;
  }
};

TEST_F(Explain, TellsEachHopWithItsNodeAndItsParts) {
  start_three();
  const Json request = {{"ms", 5}, {"then", {step("walk_c", {{"ms", 500}}), step("walk_c", {{"ms", 1}})}}};
  const Answer answer = cluster["a"].call("walk_b", request, {"--explain"});
  ASSERT_EQ(answer.status, 0) << answer.out;
  const Json& explained = answer.json["explain"];
  ASSERT_EQ(explained["hops"].size(), 3U) << explained;
  const Json& outer = explained["hops"][0];
  EXPECT_EQ(outer["service"], "walk_b");
  EXPECT_EQ(outer["node"], "b");
  EXPECT_EQ(outer["message_id"], answer.json["message_id"]);
  EXPECT_EQ(outer["outcome"], "ok");
  EXPECT_EQ(outer["depth"], 0);
  const Json& nested = explained["hops"][1];
  EXPECT_EQ(nested["service"], "walk_c");
  EXPECT_EQ(nested["node"], "c");
  EXPECT_EQ(nested["depth"], 1);
  EXPECT_GE(nested["running_us"], 500'000);
  for (const char* part : {"duration_us", "wire_us", "queued_us", "running_us", "own_us"}) {
    EXPECT_TRUE(outer[part].is_number()) << part;
    EXPECT_TRUE(nested[part].is_number()) << part;
  }
  EXPECT_GE(outer["running_us"], nested["duration_us"]);
  EXPECT_LE(outer["own_us"].get<int>(), outer["running_us"].get<int>() - nested["duration_us"].get<int>());
  EXPECT_EQ(explained["longest"]["service"], "walk_c");
  EXPECT_EQ(explained["longest"]["node"], "c");
  EXPECT_EQ(explained["longest"]["part"], "running");
  EXPECT_TRUE(explained["unreachable"].empty());
}

TEST_F(Explain, OfAClientOverTheCallPlaneLikewise) {
  start_three();
  const std::string address = cluster_status(cluster["a"], "address");
  Command command;
  command.arguments = {
      tested::busbar(), "--connect", address, "--json", "call", "walk_b", R"({"then":[{"service":"walk_c"}]})",
      "--explain"};
  command.scratch = cluster["a"].root() / "said";
  const Ended ended = run(command);
  ASSERT_EQ(ended.status, 0) << ended.out << ended.err;
  const Json answer = Json::parse(ended.out);
  EXPECT_EQ(hop(answer["explain"], "walk_c")["node"], "c");
}

TEST_F(Explain, WithoutItNothingIsKeptOfAShortCall) {
  start_three();
  const Answer answer =
      cluster["a"].call("walk_b", {{"then", {step("walk_c", Json::object())}}}, {"--timeout", "60000"});
  ASSERT_EQ(answer.status, 0);
  EXPECT_FALSE(answer.json.contains("explain"));
  for (const char* node : {"a", "b", "c"}) {
    const Answer trail = cluster[node].ask({"trail", "--", answer.json["correlation_id"]});
    EXPECT_TRUE(trail.json["hops"].is_array() && trail.json["hops"].empty()) << trail.out;
  }
}

// Nobody has asked for it before, and it has not timed out.
TEST_F(Explain, OfACallThatTookLongItCanBeAskedAfterwards) {
  start_three();
  const Json request = {{"then", {step("walk_c", {{"ms", 1000}})}}};
  const Answer answer = cluster["a"].call("walk_b", request, {"--timeout", "10000"});
  ASSERT_EQ(answer.status, 0) << answer.out;
  EXPECT_FALSE(answer.json.contains("explain"));
  const std::string correlation = answer.json["correlation_id"];
  const Answer trail = cluster["a"].ask({"trail", "--", correlation});
  EXPECT_EQ(trail.json["hops"].size(), 2U) << trail.out;
  EXPECT_EQ(trail.json["longest"]["service"], "walk_c") << trail.out;
  const Ended shown = cluster["a"].busbar({"trail", "--", correlation});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("longest: walk_c on c ran for "));
}

// The slow one is two hops away, and still runs when it is told of.
TEST_F(Explain, ATimeoutNamesTheHopThatHasUsedTheBudgetUp) {
  start_three();
  const Json request = {{"ms", 1}, {"then", {step("walk_c", {{"ms", 1500}})}}};
  const Answer answer = cluster["a"].call("walk_b", request, {"--timeout", "400"});
  ASSERT_EQ(answer.status, 4) << answer.out;
  EXPECT_EQ(answer.kind(), "service_timeout");
  const Json& explained = answer.json["explain"];
  EXPECT_EQ(hop(explained, "walk_b")["node"], "b");
  const Json& slow = hop(explained, "walk_c");
  EXPECT_EQ(slow["node"], "c");
  EXPECT_EQ(slow["state"], "running");
  EXPECT_EQ(slow["depth"], 1);
  EXPECT_EQ(explained["longest"]["service"], "walk_c") << explained;
  EXPECT_EQ(explained["longest"]["part"], "running");
}

// What was slow has long ended, and what timed out had no time left.
TEST_F(Explain, ATimeoutNamesAnEarlierHopThatHasAnswered) {
  start_three();
  const Json request = {{"then", {step("walk_c", {{"ms", 1200}}), step("walk_c", {{"ms", 900}})}}};
  const Answer answer = cluster["a"].call("walk_b", request, {"--timeout", "1800"});
  ASSERT_EQ(answer.status, 4) << answer.out;
  const Json& explained = answer.json["explain"];
  ASSERT_EQ(explained["hops"].size(), 3U) << explained;
  EXPECT_EQ(explained["hops"][1]["outcome"], "ok");
  EXPECT_EQ(explained["longest"]["message_id"], explained["hops"][1]["message_id"]) << explained;
}

TEST_F(Explain, ATimeoutTellsOfACallThatWaitsItsTurn) {
  start_three();
  Process first = cluster["a"].start_busbar({"call", "walk_alone", R"({"ms":1200})"});
  ASSERT_TRUE(eventually([&] { return !cluster["c"].ask({"calls"}).json["calls"].empty(); }));
  const Answer answer = cluster["a"].call("walk_alone", Json::object(), {"--timeout", "200"});
  ASSERT_EQ(answer.status, 4) << answer.out;
  const Json& waiting = hop(answer.json["explain"], "walk_alone");
  EXPECT_EQ(waiting["state"], "queued") << answer.json["explain"];
  EXPECT_EQ(answer.json["explain"]["longest"]["part"], "queued");
  ASSERT_TRUE(first.wait());
}

// It has long been thrown out of the queue when it is told of.
TEST_F(Explain, ACallThatWasGivenUpInTheQueueHasWaitedThere) {
  start_three();
  Process first = cluster["a"].start_busbar({"call", "walk_alone", R"({"ms":3000})"});
  ASSERT_TRUE(eventually([&] { return !cluster["c"].ask({"calls"}).json["calls"].empty(); }));
  const Json request = {{"then", {step("walk_alone", Json::object(), 300)}}};
  const Answer answer = cluster["a"].call("walk_b", request, {"--timeout", "4000"});
  ASSERT_TRUE(first.wait());
  ASSERT_EQ(cluster["a"].call("walk_alone", Json::object()).status, 0) << "the queue is empty";
  const Answer trail = cluster["a"].ask({"trail", "--", answer.json["correlation_id"]});
  const Json& given_up = hop(trail.json, "walk_alone");
  EXPECT_EQ(given_up["state"], "ended") << trail.out;
  EXPECT_GE(given_up.value("queued_us", 0), 250'000) << trail.out;
}

/// A handler that has returned, and is to answer later.
class ExplainDeferred : public Explain {
 protected:
  void start(const std::vector<std::string>& nodes) {
    for (const std::string& node : nodes) {
      cluster.add(node, node == nodes.back() ? std::vector<std::string>{"behaviours"} : std::vector<std::string>{});
    }
    ASSERT_TRUE(cluster.wait_until_offered("answers_later", {nodes.back()}));
  }
};

TEST_F(ExplainDeferred, OfOneThatTimesOutHereItIsTheLongest) {
  start({"e"});
  const Answer answer = cluster["e"].call("answers_later", {{"ms", 5000}}, {"--timeout", "1500"});
  ASSERT_EQ(answer.kind(), "service_timeout") << answer.out;
  const Json& explained = answer.json["explain"];
  const Json& late = hop(explained, "answers_later");
  EXPECT_EQ(late["state"], "deferred") << explained;
  EXPECT_GE(late["deferred_us"], 1'000'000);
  EXPECT_LT(late["running_us"], 100'000);
  EXPECT_EQ(explained["longest"]["part"], "deferred") << explained;
  EXPECT_GE(explained["longest"]["duration_us"], 1'000'000);
}

TEST_F(ExplainDeferred, ItHasAColumnAndWordsForPeople) {
  start({"e"});
  const Ended shown = cluster["e"].busbar({"call", "answers_later", R"({"ms":200})", "--explain"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("DEFERRED"));
  EXPECT_THAT(shown.out, HasSubstr("longest: answers_later on e was deferred for "));
}

TEST_F(ExplainDeferred, WhoWaitsForItIsNotTheLongest) {
  start({"e"});
  const Json request = {{"service", "answers_later"}, {"request", {{"ms", 1500}}}, {"timeout_ms", 0}};
  const Answer answer = cluster["e"].call("nests", request, {"--timeout", "250"});
  ASSERT_EQ(answer.kind(), "service_timeout") << answer.out;
  const Json& explained = answer.json["explain"];
  EXPECT_EQ(hop(explained, "answers_later")["state"], "deferred") << explained;
  EXPECT_EQ(explained["longest"]["service"], "answers_later") << explained;
  EXPECT_EQ(explained["longest"]["part"], "deferred") << explained;
}

TEST_F(ExplainDeferred, OnAnotherNodeLikewise) {
  start({"a", "e"});
  const Answer answer = cluster["a"].call("answers_later", {{"ms", 1500}}, {"--timeout", "200"});
  ASSERT_EQ(answer.kind(), "service_timeout") << answer.out;
  const Json& explained = answer.json["explain"];
  const Json& late = hop(explained, "answers_later");
  EXPECT_EQ(late["node"], "e");
  EXPECT_EQ(late["state"], "deferred") << explained;
  EXPECT_LT(late["running_us"], 100'000);
  EXPECT_EQ(explained["longest"]["part"], "deferred") << explained;
}

TEST_F(Explain, PeopleReadATable) {
  start_three();
  const Ended shown =
      cluster["a"].busbar({"call", "walk_b", R"({"ms":500,"then":[{"service":"walk_c"}]})", "--explain"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("where the time went (ms)"));
  EXPECT_THAT(shown.out, HasSubstr("\n  walk_c"));
  EXPECT_THAT(shown.out, HasSubstr("longest: walk_b on b ran for "));
}

// C-M3, and W3C Trace Context: one trace, another span each.
TEST_F(Explain, ATraceThatWasBegunElsewhereReachesEveryHandler) {
  start_three();
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const Answer answer = cluster["a"].call("walk_b", {{"then", {step("walk_c", Json::object())}}},
                                          {"--traceparent", "00-" + trace + "-b7ad6b7169203331-01"});
  ASSERT_EQ(answer.status, 0) << answer.out;
  const std::string outer = answer.json["value"]["traceparent"], inner = answer.json["value"]["then"][0]["traceparent"];
  EXPECT_EQ(outer.substr(0, 36), "00-" + trace + "-");
  EXPECT_EQ(inner.substr(0, 36), outer.substr(0, 36));
  EXPECT_NE(inner.substr(36, 16), outer.substr(36, 16));
  EXPECT_EQ(inner.substr(53), "01");
}

TEST_F(Explain, WhatIsNoTraceparentIsUsage) {
  const Answer answer = TestHost().ask({"call", "walk_b", "--traceparent", "00-1-2-3"});
  EXPECT_EQ(answer.status, 2);
  EXPECT_THAT(answer.out, HasSubstr("--traceparent: expected 00-"));
}

}  // namespace
}  // namespace busbar::system_tests
