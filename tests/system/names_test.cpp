// Who holds a node's name: a quick restart, a second one, one that was frozen, one whose clock was set back.
#include <signal.h>

#include <filesystem>

#include "system/support/callers.hpp"
#include "system/support/patient.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;

class Names : public ClusterTest {
 protected:
  TestHost& start_patient(const std::string& name, const std::string& plugin) {
    TestHost& host = cluster.make(name);
    host.configure(kPatient);
    if (!plugin.empty()) host.add(plugin);
    cluster.start(name);
    return host;
  }
  static std::uint64_t incarnation_of(const TestHost& asked, const std::string& name) {
    const Json rows = asked.ask({"nodes"}).json["nodes"];
    for (const Json& row : rows) {
      if (row["name"] == name) return row["incarnation"];
    }
    return 0;
  }
};

TEST_F(Names, C_G7_C_G2_AQuickRestartWithOtherPluginsReplacesTheOneBefore) {
  cluster.add("a");
  cluster.add("b", {"placed"});
  const auto node = join(cluster, kNeverLost);
  ASSERT_TRUE(node->wait_for("holds", kLimit));
  const Calls calls(*node, Form::asynchronous, {64, "holds"});
  ASSERT_TRUE(eventually([&] { return cluster["b"].plugin("placed.so")["calls_running"] == 64; }));
  const std::uint64_t before = incarnation_of(cluster["a"], "b");
  cluster.kill("b");
  std::filesystem::remove(cluster["b"].plugins() / "placed.so");
  cluster["b"].add("greeter");
  cluster.start("b");
  ASSERT_TRUE(calls.wait());
  for (const Seen& seen : calls.seen()) EXPECT_TRUE(seen.response.is_bad_rpc(badrpc::kNodedown)) << seen.answers;
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"b"}));
  ASSERT_TRUE(node->wait_for("greet", kLimit));
  EXPECT_TRUE(cluster.wait_until_offered("holds", {})) << "replaced whole, not merged";
  EXPECT_TRUE(providers(*node, "holds").empty());
  EXPECT_GT(incarnation_of(cluster["a"], "b"), before);
  EXPECT_TRUE(call_at(*node, "b", "greet", {{"name", "Ada"}}).succeeded());
}

TEST_F(Names, C_G7_OneThatHangsIsReplacedByItsRestartAndItsPendingCallsEnd) {
  start_patient("a", "");
  TestHost& frozen_one = start_patient("b", "placed");
  const auto node = join(cluster, kNeverLost);
  ASSERT_TRUE(node->wait_for("holds", kLimit));
  const Calls calls(*node, Form::asynchronous, {64, "holds"});
  ASSERT_TRUE(eventually([&] { return frozen_one.plugin("placed.so")["calls_running"] == 64; }));
  Frozen frozen(frozen_one);
  TestHost restarted;
  restarted.configure(kPatient);
  restarted.add("greeter");
  restarted.start({"--node", "b", "--join", cluster.seed()});
  ASSERT_TRUE(node->wait_for("greet", kLimit)) << "it does not answer a ping, and is replaced";
  ASSERT_TRUE(calls.wait()) << "nobody has given it up: its successor ends what it had";
  for (const Seen& seen : calls.seen()) EXPECT_TRUE(seen.response.is_bad_rpc(badrpc::kNodedown)) << seen.answers;
  EXPECT_TRUE(providers(*node, "holds").empty());
  ASSERT_TRUE(eventually([&] { return discovered(cluster["a"], "greet") == std::vector<std::string>{"b"}; }));
  EXPECT_EQ(cluster["a"].call("greet", {{"name", "Ada"}}).status, 0);

  frozen.wake();
  EXPECT_TRUE(eventually([&] { return frozen_one.log().find("held by another live node") != std::string::npos; }))
      << "it stays outside and says so: " << frozen_one.log();
  EXPECT_EQ(cluster["a"].call("greet", {{"name", "Ada"}}).status, 0) << "the restarted one serves";
  restarted.stop();
}

TEST_F(Names, C_G7_TheLogOfTheLaterOneNamesTheHolder) {
  cluster.add("a");
  TestHost& holder = cluster.add("b", {"greeter"});
  ASSERT_TRUE(cluster.wait_until_whole());
  TestHost second;
  Process process = second.start_process({"--node", "b", "--join", cluster.seed()});
  const auto ended = process.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 1) << ended->err;
  EXPECT_THAT(ended->err, HasSubstr("held by another live node"));
  EXPECT_THAT(ended->err, HasSubstr(cluster_status(holder, "registry_address").get<std::string>()));
  EXPECT_THAT(cluster["a"].log(), HasSubstr("refused a second node named b"));
  EXPECT_TRUE(cluster.wait_until_whole());
  EXPECT_EQ(cluster["a"].call("greet", {{"name", "Ada"}}).status, 0) << "the holder serves";
}

TEST_F(Names, C_G9_TheStoredIncarnationIsPassedWhateverTheClockSays) {
  TestHost& host = cluster.make("a");
  std::filesystem::create_directories(host.state());
  write_file(host.state() / "incarnation", "9000000000000000\n");  // of the year 2255
  cluster.start("a");
  EXPECT_EQ(incarnation_of(host, "a"), 9'000'000'000'000'001u);
  cluster.kill("a");
  cluster.start("a");
  EXPECT_EQ(incarnation_of(host, "a"), 9'000'000'000'000'002u);
}

TEST_F(Names, C_G9_OneThatHearsOfAHigherIncarnationOfItsOwnTakesTheNext) {
  cluster.add("a");
  TestHost& host = cluster.make("b");
  host.add("greeter");
  std::filesystem::create_directories(host.state());
  write_file(host.state() / "incarnation", "9000000000000000\n");
  cluster.start("b");
  ASSERT_TRUE(cluster.wait_until_whole());
  cluster.kill("b");
  ASSERT_TRUE(cluster.wait_until_whole());
  write_file(host.state() / "incarnation", "1\n");  // as if the clock had been set back, and the file lost
  cluster.start("b");
  EXPECT_TRUE(eventually([&] { return incarnation_of(cluster["a"], "b") == 9'000'000'000'000'002u; }));
  EXPECT_EQ(incarnation_of(host, "b"), 9'000'000'000'000'002u);
  EXPECT_EQ(read_file(host.state() / "incarnation"), "9000000000000002\n");
  EXPECT_TRUE(cluster.wait_until_offered("greet", {"b"}));
  EXPECT_EQ(cluster["a"].call("greet", {{"name", "Ada"}}).status, 0);
}

TEST_F(Names, ANodeOfAnotherClusterIsRefusedInWordsAndStaysByItself) {
  cluster.add("a", {"greeter"});
  TestHost stranger;
  stranger.start({"--node", "b", "--cluster", "other", "--join", cluster.seed()});
  EXPECT_TRUE(eventually([&] { return stranger.log().find("cluster \"other\"") != std::string::npos; }))
      << stranger.log();
  EXPECT_THAT(stranger.log(), HasSubstr("\"busbar\"")) << "which one it has met";
  EXPECT_EQ(states_of(stranger), Json({{"b", "self"}}));
  EXPECT_EQ(states_of(cluster["a"]), Json({{"a", "self"}}));
  EXPECT_EQ(stranger.call("greet", {{"name", "Ada"}}).kind(), "service_unavailable");
  stranger.stop();
}

}  // namespace
}  // namespace busbar::system_tests
