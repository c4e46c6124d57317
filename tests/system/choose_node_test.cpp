// Services whose router says on which node a call runs.
#include <busbar/payload.hpp>

#include <signal.h>

#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"
#include "unit/host/transport/call_server_testing.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::HasSubstr;

class ChooseNode : public ClusterTest {
 protected:
  /// One without plugins, which calls, and two that have the service.
  void start_three() {
    cluster.add("a");
    cluster.add("b", {"placed"});
    cluster.add("c", {"placed"});
    ASSERT_TRUE(cluster.wait_until_whole());
    ASSERT_TRUE(cluster.wait_until_offered("runs_at", {"b", "c"}));
  }
  Json pid_of(const char* name) { return cluster[name].process().pid(); }
  Json counts_of(const char* name) { return cluster[name].call("counts").json["value"]; }
};

TEST_F(ChooseNode, C_R6_TheCallRunsWhereItsRouterSaysAndIsAnswered) {
  start_three();
  const Answer answer = cluster["a"].call("runs_at", {{"node", "c"}}, {"--node", "b"});
  EXPECT_EQ(answer.status, 0) << answer.out;
  EXPECT_EQ(answer.json["value"], pid_of("c"));
  const Json at_b = counts_of("b");
  EXPECT_EQ(at_b["authorized"], 1);
  EXPECT_EQ(at_b["chosen"], 1);
  const Json at_c = counts_of("c");
  EXPECT_EQ(at_c["authorized"], 0) << "the chosen one does neither again";
  EXPECT_EQ(at_c["chosen"], 0);
}

TEST_F(ChooseNode, C_R6_WithoutANameOrWithItsOwnItRunsWhereItWasReceived) {
  start_three();
  EXPECT_EQ(cluster["a"].call("runs_at", Json::object(), {"--node", "b"}).json["value"], pid_of("b"));
  EXPECT_EQ(cluster["a"].call("runs_at", {{"node", "b"}}, {"--node", "b"}).json["value"], pid_of("b"));
}

TEST_F(ChooseNode, C_R6_ALocalCallCanBeSentElsewhere) {
  start_three();
  const Answer answer = cluster["b"].call("runs_at", {{"node", "c"}});
  EXPECT_EQ(answer.status, 0) << answer.out;
  EXPECT_EQ(answer.json["value"], pid_of("c"));
}

TEST_F(ChooseNode, C_R6_TheCallersOwnNodeCanBeChosen) {
  start_three();
  const Answer answer = cluster["b"].call("runs_at", {{"node", "b"}}, {"--node", "c"});
  EXPECT_EQ(answer.status, 0) << answer.out;
  EXPECT_EQ(answer.json["value"], pid_of("b"));
}

TEST_F(ChooseNode, C_R6_AnUnknownNodeIsNodedown) {
  start_three();
  const Answer answer = cluster["a"].call("runs_at", {{"node", "nobody"}}, {"--node", "b"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.json["code"], "badrpc");
  EXPECT_EQ(answer.json["kind"], "nodedown");
  EXPECT_THAT(answer.json["text"].get<std::string>(), HasSubstr("nobody"));
}

TEST_F(ChooseNode, C_R6_ADeadNodeIsNodedown) {
  start_three();
  cluster.kill("c");
  ASSERT_TRUE(cluster.wait_until_whole());
  const Answer answer = cluster["a"].call("runs_at", {{"node", "c"}}, {"--node", "b"});
  EXPECT_EQ(answer.json["kind"], "nodedown") << answer.out;
  EXPECT_EQ(counts_of("b")["held"], 0) << "nothing ran in its place";
}

TEST_F(ChooseNode, C_R6_OneThatLacksTheServiceIsSaidSo) {
  start_three();
  for (const char* caller : {"a", "b", "c"}) {  // the chosen one itself, the one that chooses, and a third
    const Answer answer = cluster[caller].call("runs_at", {{"node", "a"}}, {"--node", "b"});
    EXPECT_EQ(answer.status, 3) << answer.out;
    EXPECT_EQ(answer.kind(), "service_unavailable") << answer.out;
  }
  EXPECT_EQ(counts_of("b")["chosen"], 3);
  EXPECT_EQ(counts_of("c")["chosen"], 0) << "nobody else was asked";
}

TEST_F(ChooseNode, C_R6_C_D9_TheChosenOneKilledWhileItRunsIsNodedownAtOnce) {
  start_three();
  Process caller = cluster["a"].start_busbar(
      {"--json", "call", "runs_at", R"({"node":"c","hold":true})", "--node", "b", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return counts_of("c")["held"] == 1; }));
  cluster.kill("c");
  const auto ended = caller.wait();  // far less than its ten minutes
  ASSERT_TRUE(ended) << "the caller's node must know whom it waits for";
  EXPECT_THAT(ended->out, HasSubstr(R"("kind":"nodedown")"));
}

TEST_F(ChooseNode, C_R6_C_D9_TheOneThatForwardedMayDieMeanwhile) {
  start_three();
  Process caller = cluster["a"].start_busbar(
      {"--json", "call", "runs_at", R"({"node":"c","hold":true})", "--node", "b", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return counts_of("c")["held"] == 1; }));
  cluster.kill("b");
  ASSERT_TRUE(eventually([&] { return discovered(cluster["a"], "where") == std::vector<std::string>{"c"}; }));
  ASSERT_EQ(cluster["c"].call("let_go").status, 0);
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << "it is answered by the chosen one alone: " << ended->out;
  EXPECT_EQ(Json::parse(ended->out)["node"], "c");
}

// A client that claims that a node has authorized its call and chosen this one.
TEST_F(ChooseNode, C_R6_AForwardedCallIsAcceptedFromAPeerOnly) {
  TestHost& a = cluster.add("a", {"placed"});
  zmq::context_t context{1};
  busbar::testing::Caller client(context, cluster_status(a, "address"));
  wire::Envelope hello = busbar::testing::hello_envelope("stranger", "busbar");
  hello.role = wire::Role::client;
  client.send(hello);
  ASSERT_EQ(client.one().type, wire::EnvelopeType::welcome);

  const Payload nobody = Payload::from_json({{"pids", Json::array()}});
  wire::Envelope request;
  request.type = wire::EnvelopeType::request;
  request.major = wire::kCallProtocolMajor;
  request.attempt = 1;
  request.service = "dies_at";
  request.message_id = "0123456789012345678901";
  request.remaining_us = 60'000'000;
  request.raw_request = nobody.bytes();
  request.is_forwarded = true;
  client.send(request);
  const auto refused = client.one();
  EXPECT_EQ(refused.type, wire::EnvelopeType::answer);
  EXPECT_EQ(refused.attempt, 1u);
  EXPECT_EQ(refused.name, "forbidden");
  EXPECT_THAT(refused.text, HasSubstr("only a node can forward a call"));
  EXPECT_EQ(counts_of("a")["spared"], 0) << "it was not served";

  request.attempt = 2;
  request.is_forwarded = false;
  client.send(request);
  EXPECT_EQ(client.one().attempt, 2u);
  EXPECT_EQ(counts_of("a")["spared"], 1) << "without the claim it is";
}

TEST_F(ChooseNode, C_R6_AClientIsAnsweredThroughItsEntryNode) {
  start_three();
  const std::string entry = cluster_status(cluster["a"], "address");
  const std::vector<std::string> ask = {"--json", "--connect", entry, "call", "runs_at"};
  const auto call = [&](std::vector<std::string> more) {
    more.insert(more.begin(), ask.begin(), ask.end());
    more.insert(more.begin(), tested::busbar());
    Command command;
    command.arguments = std::move(more);
    command.scratch = cluster["a"].root() / "said";
    return Process(command);
  };
  Process first = call({R"({"node":"c"})", "--node", "b"});
  const auto answered = first.wait();
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->status, 0) << answered->out;
  EXPECT_EQ(Json::parse(answered->out)["value"], pid_of("c"));

  Process second = call({R"({"node":"c","hold":true})", "--node", "b", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return counts_of("c")["held"] == 1; }));
  cluster.kill("c");
  const auto ended = second.wait();
  ASSERT_TRUE(ended);
  EXPECT_THAT(ended->out, HasSubstr(R"("kind":"nodedown")"));
}

}  // namespace
}  // namespace busbar::system_tests
