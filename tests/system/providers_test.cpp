// Which of several providers serves a call, and which one when that one does not.
#include <signal.h>

#include <map>
#include <set>

#include "system/support/callers.hpp"
#include "system/support/raw_member.hpp"

namespace busbar::system_tests {
namespace {

using std::chrono::seconds;
using testing::UnorderedElementsAre;

class Providers : public ClusterTest {
 protected:
  pid_t pid_of(const char* name) { return cluster[name].process().pid(); }
  Json counts_of(const char* name) { return cluster[name].call("counts").json["value"]; }
  /// The nodes that "no_nodes_available" lists, with their reasons.
  static std::map<std::string, std::string> refusals(const Answer& answer) {
    EXPECT_EQ(answer.json["code"], "no_nodes_available") << answer.out;
    std::map<std::string, std::string> rows;
    for (const Json& row : answer.json.value("nodes", Json::array())) rows[row["node"]] = row["reason"];
    return rows;
  }
  std::string refusal_of(const char* name) { return "not in " + std::to_string(pid_of(name)); }
};

TEST_F(Providers, C_D3_OneOfThemIsPickedAtRandom) {
  cluster.add("a", {"placed"});
  cluster.add("b", {"placed"});
  const auto node = join(cluster, seconds(10));
  ASSERT_TRUE(eventually([&] { return providers(*node, "where").size() == 2; }));
  std::map<pid_t, int> served;
  for (int i = 0; i < 400; ++i) ++served[node->call<pid_t>("where", Json::object(), kLimit)];
  EXPECT_EQ(served.size(), 2u);
  // Of 400 throws of a coin, fewer than 120 heads come once in 10^15.
  EXPECT_GT(served[pid_of("a")], 120);
  EXPECT_GT(served[pid_of("b")], 120);
}

TEST_F(Providers, C_D4_WhoSendsTheCallOnIsPassedAndTheNextIsAsked) {
  for (const char* name : {"a", "b", "c"}) cluster.add(name, {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("only_at", {"a", "b", "c"}));
  for (const char* name : {"a", "b", "c"}) {
    const Answer answer = cluster["a"].call("only_at", {{"pids", {pid_of(name)}}});
    EXPECT_EQ(answer.json["value"], pid_of(name)) << answer.out;
    EXPECT_EQ(answer.json["node"], name);
  }
}

TEST_F(Providers, C_D4_WhenAllHaveSentItOnEachIsListedWithItsReason) {
  for (const char* name : {"a", "b", "c"}) cluster.add(name, {"placed"});
  cluster.add("d");
  ASSERT_TRUE(cluster.wait_until_offered("only_at", {"a", "b", "c"}));
  const Json nobody = {{"pids", Json::array()}};
  EXPECT_EQ(
      refusals(cluster["a"].call("only_at", nobody)),
      (std::map<std::string, std::string>{{"local", refusal_of("a")}, {"b", refusal_of("b")}, {"c", refusal_of("c")}}));
  EXPECT_EQ(
      refusals(cluster["d"].call("only_at", nobody)),
      (std::map<std::string, std::string>{{"a", refusal_of("a")}, {"b", refusal_of("b")}, {"c", refusal_of("c")}}));
}

TEST_F(Providers, C_D18_OneWhoseQueueIsFullIsPassed) {
  cluster.add("a");
  cluster.make("b").configure("[pool]\nthreads = 1\nmax_threads = 1\nqueue = 1\n");
  for (const char* plugin : {"placed", "behaviours"}) cluster["b"].add(plugin);
  cluster.start("b");
  cluster.add("c", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("where", {"b", "c"}));
  ASSERT_TRUE(cluster.wait_until_offered("configured", {"b"}));
  const auto pool = [&](const char* what) { return cluster["b"].ask({"status"}).json["pool"][what]; };
  const std::vector<std::string> hold = {"call", "holds", "--node", "b", "--timeout", "600000"};
  Process running = cluster["a"].start_busbar(hold);
  ASSERT_TRUE(eventually([&] { return pool("running") == 1; }));
  Process queued = cluster["a"].start_busbar(hold);
  ASSERT_TRUE(eventually([&] { return pool("queued") == 1; }));

  for (int i = 0; i < 40; ++i) {  // whom each asks first is chance
    const Answer answer = cluster["a"].call("where");
    ASSERT_EQ(answer.json["value"], pid_of("c")) << answer.out;
  }
  const std::map<std::string, std::string> b_alone = {{"b", "overloaded"}};
  EXPECT_EQ(refusals(cluster["a"].call("configured")), b_alone) << "no other node offers it";
  EXPECT_EQ(refusals(cluster["a"].call("where", Json::object(), {"--node", "b"})), b_alone);
  for (Process* caller : {&queued, &running}) {
    caller->signal(SIGINT);
    EXPECT_TRUE(caller->wait());
  }
  EXPECT_TRUE(eventually([&] { return cluster["a"].call("configured").status == 0; })) << "there is room again";
}

TEST_F(Providers, C_D18_OneWithoutAConnectionIsPassed) {
  cluster.make("a").configure("[registry]\nlost_after = \"10m\"\n");  // the raw member is silent
  cluster.start("a");
  cluster.add("c", {"placed"});
  RawMember raw("raw", cluster.seed());
  raw.hello({"where"});
  TestHost& a = cluster["a"];
  ASSERT_TRUE(eventually([&] { return discovered(a, "where").size() == 2; }));
  raw.hang_up();
  ASSERT_TRUE(eventually([&] { return states_of(a)["raw"] == "unreachable"; }))
      << "it is a member still: " << states_of(a);
  const std::vector<std::string> long_budget = {"--timeout", "600000"};
  for (int i = 0; i < 40; ++i) {  // whom each asks first is chance
    const Answer answer = a.call("where", Json::object(), long_budget);
    ASSERT_EQ(answer.json["value"], pid_of("c")) << answer.out;
  }
  const Answer alone = a.call("where", Json::object(), {"--node", "raw", "--timeout", "600000"});
  EXPECT_EQ(alone.json["kind"], "nodedown") << alone.out;
}

TEST_F(Providers, C_D18_OneThatIsStoppingIsPassedWhileItsLastCallRuns) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  cluster.add("c", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("where", {"b", "c"}));
  const auto node = join(cluster, seconds(10));
  ASSERT_TRUE(eventually([&] { return providers(*node, "where").size() == 2; }));
  Process last = cluster["a"].start_busbar({"call", "holds", "--node", "b", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return counts_of("b")["held"] == 1; }));
  const SteadyCallers callers(*node, 4, "where", kLimit);
  ASSERT_TRUE(callers.wait_for_more(100));
  cluster["b"].process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return providers(*node, "where") == std::vector<std::string>{"c"}; }));
  ASSERT_TRUE(callers.wait_for_more(100));
  EXPECT_TRUE(cluster["b"].process().running()) << "it waits for its last call";
  EXPECT_EQ(node->call<pid_t>("where", Json::object(), kLimit), pid_of("c"));
  last.signal(SIGINT);
  cluster["b"].finish();
  EXPECT_TRUE(callers.tally().failures.empty()) << callers.tally().failures.front().text();
}

// Those who have read its last record do not ask it any more; who asks it by its name does.
TEST_F(Providers, C_D18_OneThatIsStoppingRefusesAtOnceWhatStillReachesIt) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  cluster.add("c", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("dies_at", {"b", "c"}));
  Process last = cluster["a"].start_busbar({"call", "holds", "--node", "b", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return counts_of("b")["held"] == 1; }));
  cluster["b"].process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return discovered(cluster["a"], "dies_at") == std::vector<std::string>{"c"}; }));
  const Answer answer = cluster["a"].call("dies_at", {{"pids", Json::array()}}, {"--node", "b", "--timeout", "600000"});
  EXPECT_EQ(refusals(answer), (std::map<std::string, std::string>{{"b", "stopping"}}));
  EXPECT_EQ(counts_of("c")["spared"], 0) << "it was not asked in b's place";
  EXPECT_TRUE(cluster["b"].process().running()) << "it waits for its last call";
  last.signal(SIGINT);
  cluster["b"].finish();
}

// Which of the two is asked first is chance: called again and again until it is the one that dies.
TEST_F(Providers, C_D18_AnIdempotentCallGoesOnToTheNextWhenItsProviderDies) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  cluster.add("c", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("dies_at_idempotent", {"b", "c"}));
  const pid_t doomed = pid_of("b");
  ASSERT_TRUE(eventually([&] {
    const Answer answer = cluster["a"].call("dies_at_idempotent", {{"pids", {doomed}}}, {"--timeout", "30000"});
    EXPECT_EQ(answer.json["value"], pid_of("c")) << answer.out;
    return !cluster["b"].process().running();
  }));
  cluster.kill("b");
}

TEST_F(Providers, C_D18_AnyOtherCallIsNeverSentAgain) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  cluster.add("c", {"placed"});
  ASSERT_TRUE(cluster.wait_until_offered("dies_at", {"b", "c"}));
  const pid_t doomed = pid_of("b");
  int succeeded = 0;
  Answer last;
  ASSERT_TRUE(eventually([&] {
    last = cluster["a"].call("dies_at", {{"pids", {doomed}}}, {"--timeout", "30000"});
    if (last.status != 0) return true;
    ++succeeded;
    EXPECT_EQ(last.json["value"], pid_of("c"));
    return false;
  }));
  EXPECT_EQ(last.json["kind"], "nodedown") << last.out;
  EXPECT_EQ(last.json["node"], "b");
  EXPECT_EQ(counts_of("c")["spared"], succeeded) << "the last one did not reach it";
  cluster.kill("b");
}

}  // namespace
}  // namespace busbar::system_tests
