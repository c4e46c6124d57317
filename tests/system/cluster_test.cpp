// Several hosts as people run them: joining, what each knows of the others, calls that cross.
#include <signal.h>

#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;

class Cluster : public ClusterTest {
 protected:
  /// Greeter on the first, echo on the last; between them one without plugins.
  void start_three() {
    cluster.add("a", {"greeter"});
    cluster.add("b");
    cluster.add("c", {"echo"});
    ASSERT_TRUE(cluster.wait_until_whole());
    ASSERT_TRUE(cluster.wait_until_offered("greet", {"a"}));
    ASSERT_TRUE(cluster.wait_until_offered("echo", {"c"}));
  }
};

TEST_F(Cluster, C_G1_HostsThatJoinedThroughOneKnowEachOther) {
  start_three();
  const Json rows = cluster["c"].ask({"nodes"}).json["nodes"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["name"], "c") << "this one first";
  EXPECT_EQ(rows[1]["name"], "a");
  EXPECT_EQ(rows[2]["name"], "b");
  EXPECT_EQ(rows[1]["registry_address"], cluster.seed());
  EXPECT_EQ(rows[1]["address"], cluster_status(cluster["a"], "address"));
  EXPECT_GT(rows[1]["incarnation"].get<std::uint64_t>(), 0u);
  EXPECT_EQ(rows[1]["services"], 1);
  EXPECT_THAT(rows[1]["since"].get<std::string>(), testing::EndsWith("Z"));
  EXPECT_EQ(cluster_status(cluster["b"], "nodes"), 3);
  EXPECT_EQ(cluster_status(cluster["b"], "name"), "busbar");
  EXPECT_EQ(cluster_status(cluster["b"], "introduced"), true);
  EXPECT_EQ(cluster_status(cluster["b"], "insecure"), false);
  EXPECT_EQ(cluster_status(cluster["b"], "calls")["peers_up"], 2);
}

TEST_F(Cluster, BoundIsNotAdvertisedAndBothAreShown) {
  cluster.add("a", {},
              {"--listen", "tcp://127.0.0.1:*", "--registry-listen", "tcp://127.0.0.1:*", "--advertise", "localhost"});
  for (const std::string which : {"address", "registry_address"}) {
    const std::string told = cluster_status(cluster["a"], which);
    const std::string bound = cluster_status(cluster["a"], "bound_" + which);
    EXPECT_THAT(told, testing::StartsWith("tcp://localhost:"));
    EXPECT_EQ(bound, "tcp://127.0.0.1" + told.substr(told.rfind(':')));
    EXPECT_THAT(cluster["a"].log(), HasSubstr(bound)) << "in the line of the start";
    EXPECT_THAT(cluster["a"].log(), HasSubstr(told));
  }
}

TEST_F(Cluster, CallsCross) {
  start_three();
  const Answer greeting = cluster["c"].call("greet", {{"name", "Ada"}});
  EXPECT_EQ(greeting.status, 0) << greeting.err;
  EXPECT_EQ(greeting.json["value"]["text"], "Hello, Ada!");
  EXPECT_EQ(cluster["a"].call("echo", {1, 2, 3}).json["value"], Json({1, 2, 3}));
  EXPECT_EQ(cluster["b"].call("echo", "from the one between").json["value"], "from the one between");
  const Answer invalid = cluster["b"].call("greet", Json::object());
  EXPECT_EQ(invalid.kind(), "validation_error") << "errors cross as they are";
  EXPECT_EQ(invalid.json["details"][0]["path"], "name");
}

TEST_F(Cluster, ServicesAndDiscoverShowWhatOthersOffer) {
  start_three();
  EXPECT_THAT(discovered(cluster["b"], "greet"), ElementsAre("a"));
  const Json services = cluster["a"].ask({"services"}).json["services"];
  Json providers;
  for (const Json& row : services) providers[row["name"]] = row["providers"];
  EXPECT_EQ(providers, Json({{"echo", {"c"}}, {"greet", {"a"}}})) << "private services are not announced (C-R1)";
}

TEST_F(Cluster, DescribeAsksTheNodeThatProvidesIt) {
  start_three();
  const Answer described = cluster["b"].ask({"describe", "echo"});
  EXPECT_EQ(described.status, 0) << described.err;
  EXPECT_EQ(described.json["described_by"], "c");
  EXPECT_EQ(described.json["plugin"], "echo");
  EXPECT_EQ(described.json["inline"], true);
  EXPECT_THAT(described.json["doc"].get<std::string>(), HasSubstr("Answers with the request"));
  EXPECT_EQ(described.json["providers"], Json({"c"}));
  EXPECT_GT(described.json["timeout_ms"], 0);
  EXPECT_EQ(cluster["a"].ask({"describe", "greet"}).json["described_by"], "a") << "its own it describes itself";
  EXPECT_EQ(cluster["b"].ask({"describe", "echo_count"}).status, 3) << "a private one is not told of";
  EXPECT_EQ(cluster["b"].ask({"describe", "absent"}).status, 3);
}

TEST_F(Cluster, ACallCanNameTheNodeThatServesIt) {
  cluster.add("a", {"greeter"});
  cluster.add("b", {"greeter"});
  ASSERT_TRUE(cluster.wait_until_whole());
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"a", "b"}));
  for (const char* node : {"a", "b"}) {
    const Answer answer = cluster["a"].call("greet", {{"name", "Ada"}}, {"--node", node});
    EXPECT_EQ(answer.status, 0) << answer.out;
  }
  const Answer nobody = cluster["a"].call("greet", {{"name", "Ada"}}, {"--node", "nobody"});
  EXPECT_EQ(nobody.json["code"], "badrpc");
  EXPECT_EQ(nobody.json["kind"], "nodedown");
}

TEST_F(Cluster, C_D2_WhyANamedNodeDidNotServeACallIsToldInWords) {
  start_three();
  const auto call = [&](const char* service, const char* node) {
    return cluster["b"].busbar({"call", service, R"({"name":"Ada"})", "--node", node});
  };
  const Ended elsewhere = call("greet", "c");
  EXPECT_EQ(elsewhere.status, 3);
  EXPECT_THAT(elsewhere.out, HasSubstr("node \"c\" was asked, and does not offer \"greet\"; offered by \"a\""));
  const Ended nowhere = call("absent", "c");
  EXPECT_EQ(nowhere.status, 3);
  EXPECT_THAT(nowhere.out, HasSubstr("does not offer \"absent\"; no other node is known that does"));
  const Ended itself = call("absent", "b");
  EXPECT_EQ(itself.status, 3);
  EXPECT_THAT(itself.out, HasSubstr("node \"b\" was asked, and does not offer \"absent\""));
  const Ended unknown = call("greet", "nobody");
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.out, HasSubstr("node \"nobody\" is not known, these are: \"b\", \"a\", \"c\""));
}

TEST_F(Cluster, C_G4_OneThatStopsIsGoneEverywhereAndSoAreItsServices) {
  start_three();
  cluster["a"].stop();
  EXPECT_TRUE(cluster.wait_until_whole());
  EXPECT_EQ(cluster["c"].call("greet", {{"name", "Ada"}}).kind(), "service_unavailable");
  EXPECT_THAT(cluster["b"].log(), HasSubstr("node left node=a"));
}

// The one that stops cannot be dialled: it is known by the connection that it has made itself, on which its goodbye
// comes before the end. No other tells of it.
TEST_F(Cluster, C_G4_OneThatStopsSaysSo) {
  cluster.add("a");
  cluster.add("b", {}, {"--advertise", "127.0.0.2"});
  ASSERT_TRUE(eventually([&] { return states_of(cluster["a"]) == Json({{"a", "self"}, {"b", "joining"}}); }));
  cluster["b"].stop();
  EXPECT_TRUE(eventually([&] { return states_of(cluster["a"]) == Json({{"a", "self"}}); }));
  EXPECT_THAT(cluster["a"].log(), HasSubstr("node left node=b reason=\"it said goodbye\""));
}

TEST_F(Cluster, OneThatStopsFirstEndsWhatItServesForOthers) {
  cluster.add("a", {"behaviours"});
  cluster.add("b");
  ASSERT_TRUE(cluster.wait_until_offered("sleeps", {"a"}));
  Process caller = cluster["b"].start_busbar({"--json", "call", "sleeps", R"({"ms":700,"answer":"rested"})"});
  ASSERT_TRUE(eventually([&] { return cluster["a"].plugin("behaviours.so")["calls_running"] == 1; }));
  EXPECT_THAT(cluster["a"].stop().err, HasSubstr("host: stopped"));
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->out;
  EXPECT_THAT(ended->out, HasSubstr("rested"));
  EXPECT_EQ(cluster["b"].call("sleeps", {{"ms", 1}}).kind(), "service_unavailable");
}

TEST_F(Cluster, C_G4_OneThatIsKilledIsGoneAndComesBackAnew) {
  start_three();
  cluster.kill("c");
  EXPECT_TRUE(cluster.wait_until_whole());
  EXPECT_EQ(cluster["a"].call("echo", 1).kind(), "service_unavailable");
  const Ended lost = cluster["a"].busbar({"nodes"});
  EXPECT_THAT(lost.out, ContainsRegex("\nc +lost +"));
  EXPECT_THAT(lost.out, ContainsRegex("\n\nc: .+\n")) << "why";
  cluster.start("c");
  EXPECT_TRUE(cluster.wait_until_whole());
  EXPECT_THAT(cluster["a"].busbar({"nodes"}).out, Not(HasSubstr("lost")));
  EXPECT_TRUE(cluster.wait_until_offered("echo", {"c"}));
  EXPECT_EQ(cluster["a"].call("echo", 1).json["value"], 1);
}

TEST_F(Cluster, AProgramThatHasANodeInItIsAFullClient) {
  cluster.add("a");
  cluster.add("b", {"greeter"});
  Command command;
  command.arguments = {tested::client(), cluster.seed(), "Ada"};
  command.scratch = cluster["a"].root();
  const Ended ended = run(command);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, "Hello, Ada!\n");
  EXPECT_TRUE(cluster.wait_until_whole()) << "it has said goodbye";
}

TEST_F(Cluster, C_G7_ANameThatIsHeldEndsTheLaterHostInWords) {
  cluster.add("a", {"greeter"});
  TestHost& second = cluster.make("second");
  Process process = second.start_process({"--node", "a", "--join", cluster.seed()});
  const auto ended = process.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 1) << ended->err;
  EXPECT_THAT(ended->err, HasSubstr("error host.cluster: the cluster refuses this node"));
  EXPECT_THAT(ended->err, HasSubstr("host: stopped")) << "in order";
  EXPECT_EQ(cluster["a"].call("greet", {{"name", "Ada"}}).status, 0) << "the holder serves";
}

TEST_F(Cluster, IsReadyWithoutItsSeedsWhenTheyHaveBeenTried) {
  TestHost& host = cluster.make("a");
  host.add("greeter");
  cluster.start("a", {"--join", "tcp://127.0.0.1:9"});
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0);
  EXPECT_EQ(cluster_status(host, "introduced"), true);
}

TEST_F(Cluster, RefusesToListenToOtherMachinesUnlessToldInsecure) {
  TestHost& host = cluster.make("a");
  Process refused = host.start_process({"--listen", "tcp://0.0.0.0:*"});
  const auto ended = refused.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 2);
  EXPECT_THAT(ended->err, HasSubstr("--insecure"));
}

TEST_F(Cluster, SaysEverywhereThatItIsInsecure) {
  TestHost& host = cluster.make("a");
  cluster.start("a", {"--listen", "tcp://0.0.0.0:*", "--insecure"});
  EXPECT_THAT(host.log(), HasSubstr("insecure: whoever reaches its addresses may call every public service"));
  EXPECT_EQ(cluster_status(host, "insecure"), true);
  EXPECT_THAT(host.busbar({"status"}).out, HasSubstr("INSECURE"));
  EXPECT_THAT(host.busbar({"nodes"}).out, HasSubstr("insecure: without keys"));
  EXPECT_EQ(host.ask({"nodes"}).json["insecure"], true);
}

}  // namespace
}  // namespace busbar::system_tests
