// `busbar --connect`: the verbs for callers, over the address at which nodes call each other.
#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class Connect : public ClusterTest {
 protected:
  void start_two() {
    cluster.add("a", {"behaviours"});
    cluster.add("b", {"greeter"});
    ASSERT_TRUE(cluster.wait_until_whole());
    ASSERT_TRUE(cluster.wait_until_offered("greet", {"b"}));
    entry_ = cluster_status(cluster["a"], "address");
  }
  Command command_of(const std::string& address, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {tested::busbar(), "--connect", address});
    Command command;
    command.arguments = std::move(arguments);
    command.scratch = cluster["a"].root() / "said";
    return command;
  }
  Ended busbar(const std::string& address, std::vector<std::string> arguments) {
    return run(command_of(address, std::move(arguments)));
  }
  Answer ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "--json");
    const Ended ended = busbar(entry_, std::move(arguments));
    return {ended.status, Json::parse(ended.out, nullptr, false), ended.out, ended.err};
  }

  std::string entry_;
};

TEST_F(Connect, CallsWhatTheHostHasAndWhatOthersHave) {
  start_two();
  EXPECT_EQ(ask({"call", "shows_message"}).json["node"], "a");
  const Answer greeting = ask({"call", "greet", R"({"name":"Ada"})"});
  EXPECT_EQ(greeting.status, 0) << greeting.out << greeting.err;
  EXPECT_EQ(greeting.json["value"]["text"], "Hello, Ada!");
  EXPECT_EQ(greeting.json["node"], "b");
  EXPECT_EQ(ask({"call", "greet", "{}"}).status, 5);
  EXPECT_EQ(ask({"call", "absent"}).status, 3);
  EXPECT_EQ(ask({"call", "sleeps", R"({"ms":500})", "--timeout", "50"}).status, 4);
  EXPECT_EQ(ask({"call", "greet", R"({"name":"Ada"})", "--node", "b"}).status, 0);
  EXPECT_EQ(ask({"call", "greet", R"({"name":"Ada"})", "--node", "nobody"}).json["kind"], "nodedown");
}

TEST_F(Connect, AssignsAndDryRunsGetThrough) {
  start_two();
  EXPECT_EQ(ask({"call", "needs_assign", "--assign", "user=\"ada\""}).status, 0);
  EXPECT_EQ(ask({"call", "needs_assign"}).status, 6);
  const Answer validated = ask({"validate", "shows_message"});
  EXPECT_EQ(validated.json["value"]["dry_run"], "yes") << validated.out;
  EXPECT_THAT(busbar(entry_, {"validate", "shows_message"}).err, HasSubstr("dry-run safe")) << "people are warned";
  EXPECT_EQ(ask({"authorized", "needs_assign", "--assign", "user=\"ada\""}).json, Json({{"authorized", true}}));
  EXPECT_EQ(ask({"authorized", "needs_assign"}).status, 6);
}

TEST_F(Connect, TellsOfServicesAndNodes) {
  start_two();
  const Answer nodes = ask({"nodes"});
  EXPECT_EQ(nodes.status, 0) << nodes.out;
  EXPECT_EQ(nodes.json["nodes"][0]["name"], "a");
  EXPECT_EQ(nodes.json["nodes"][0]["state"], "self");
  EXPECT_EQ(nodes.json["nodes"][1]["name"], "b");
  EXPECT_EQ(nodes.json["nodes"][1]["state"], "up");
  EXPECT_EQ(ask({"discover", "greet"}).json, Json({{"providers", {{{"node", "b"}, {"router", "greeter"}}}}}));
  EXPECT_EQ(ask({"discover", "absent"}).status, 3);
  std::vector<std::string> names;
  const Json services = ask({"services"}).json["services"];
  for (const Json& row : services) names.push_back(row["name"]);
  EXPECT_THAT(names, Contains("greet"));
  EXPECT_THAT(names, Contains("shows_message"));
  const Answer described = ask({"describe", "greet"});
  EXPECT_EQ(described.json["described_by"], "b") << described.out << described.err;
  EXPECT_EQ(ask({"describe", "typed"}).json["described_by"], "a");
  EXPECT_EQ(ask({"describe", "absent"}).status, 3);
}

TEST_F(Connect, C_R1_PrivateServicesAreNotThere) {
  start_two();
  for (const std::vector<std::string>& verb : {std::vector<std::string>{"call", "kept_private"},
                                               {"call", "kept_private", "{}", "--node", "a"},
                                               {"validate", "kept_private"},
                                               {"authorized", "kept_private"},
                                               {"discover", "kept_private"},
                                               {"describe", "kept_private"}}) {
    const Answer answer = ask(verb);
    EXPECT_EQ(answer.status, 3) << verb[0] << answer.out << answer.err;
  }
  EXPECT_THAT(busbar(entry_, {"services"}).out, Not(HasSubstr("kept_private")));
  EXPECT_EQ(cluster["a"].call("kept_private").status, 0) << "over the run directory the host is called by itself";
}

TEST_F(Connect, WhatConcernsTheHostsOwnMachineIsRefused) {
  start_two();
  for (const char* verb : {"plugins", "status", "rescan"}) {
    const Ended refused = busbar(entry_, {verb});
    EXPECT_EQ(refused.status, 2) << verb;
    EXPECT_THAT(refused.err, HasSubstr("only on its own machine")) << verb;
  }
}

TEST_F(Connect, AnotherClustersNameIsRefusedInWords) {
  start_two();
  const Ended refused = busbar(entry_, {"--cluster", "other", "nodes"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("is of cluster 'busbar'"));
  EXPECT_THAT(refused.err, HasSubstr("'other'"));
  EXPECT_THAT(refused.err, HasSubstr("--cluster")) << "what to do";
}

TEST_F(Connect, WhereNobodyListensItSaysSo) {
  start_two();
  const std::string gone = cluster_status(cluster["b"], "address");
  cluster.kill("b");
  const Ended failed = busbar(gone, {"nodes"});
  EXPECT_EQ(failed.status, 7) << failed.err;
  EXPECT_THAT(failed.err, HasSubstr(gone));
}

TEST_F(Connect, ARegistrysAddressIsNoPlaceToCall) {
  start_two();
  const Ended failed = busbar(cluster.seed(), {"nodes"});
  EXPECT_EQ(failed.status, 7) << failed.err;
  EXPECT_EQ(cluster["a"].call("greet", {{"name", "Ada"}}).status, 0) << "and no harm is done";
}

TEST_F(Connect, C_D18_AClientIsAnsweredWhenItsEntryNodeStopsAlsoByAnotherNode) {
  start_two();
  Process caller(
      command_of(cluster_status(cluster["b"], "address"), {"call", "sleeps", R"({"ms":700,"answer":"rested"})"}));
  ASSERT_TRUE(eventually([&] { return cluster["a"].plugin("behaviours.so")["calls_running"] == 1; }));
  cluster["b"].stop();
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->err;
  EXPECT_THAT(ended->out, HasSubstr("rested"));
}

}  // namespace
}  // namespace busbar::system_tests
