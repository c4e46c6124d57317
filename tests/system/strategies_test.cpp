// Which of several nodes a call goes to, as the service or its caller wants it (C-D3): the real programs.
#include <algorithm>
#include <map>
#include <set>

#include "dispatch/strategy.hpp"
#include "system/support/callers.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

constexpr int kKeys = 24;

std::string key(int i) { return "key " + std::to_string(i); }

/// The nodes in the order in which they are asked about a key.
std::vector<std::string> order_of(const std::string& key, std::vector<std::string> nodes = {"a", "b", "c"}) {
  std::sort(nodes.begin(), nodes.end(), [&](const auto& one, const auto& other) {
    return host::affinity(host::hash_of(key), one) > host::affinity(host::hash_of(key), other);
  });
  return nodes;
}

/// Three that provide, and one that only calls.
class Strategies : public ClusterTest {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) cluster.add(name, {"placed"});
    cluster.add("caller");
    ASSERT_TRUE(cluster.wait_until_offered("where_by_key", {"a", "b", "c"}));
  }
  const TestHost& caller() const { return cluster["caller"]; }
  std::string served_by(const std::string& service, const Json& request, std::vector<std::string> more = {}) const {
    const Answer answer = caller().call(service, request, std::move(more));
    EXPECT_EQ(answer.status, 0) << answer.out << answer.err;
    const std::string name = answer.json.value("node", "");
    EXPECT_EQ(answer.json["value"], cluster[name].process().pid());
    return name;
  }
  /// Has so many calls hang at a node, until it is told to let go.
  void hang_at(const std::string& name, int calls) {
    for (int i = 0; i < calls; ++i) {
      hanging_.push_back(caller().start_busbar({"call", "holds", "--node", name, "--timeout", "600000"}));
    }
    EXPECT_TRUE(eventually([&] { return cluster[name].plugin("placed.so")["calls_running"] == calls; }));
  }
  /// As a client of the caller's host: who answered.
  std::string served_for_client(const std::string& option, const std::string& value) const {
    Command command;
    command.arguments = {
        tested::busbar(), "--connect", cluster_status(caller(), "address"), "--json", "call", "where", "{}",
        option,           value};
    command.scratch = caller().root() / "said";
    const Ended ended = run(command);
    EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
    return Json::parse(ended.out, nullptr, false).value("node", "");
  }
  void let_go(const std::string& name) { EXPECT_EQ(cluster[name].call("let_go").status, 0); }

 private:
  std::vector<Process> hanging_;
};

TEST_F(Strategies, C_D3_AKeyStaysWithItsNodeAndMovesAloneWhenThatIsKilled) {
  std::map<std::string, std::string> homes;
  std::set<std::string> used;
  for (int i = 0; i < kKeys; ++i) {
    const std::string home = served_by("where_by_key", {{"key", key(i)}});
    EXPECT_EQ(home, order_of(key(i)).front());
    homes[key(i)] = home;
    used.insert(home);
  }
  EXPECT_EQ(used.size(), 3u);
  cluster.kill("b");
  ASSERT_TRUE(cluster.wait_until_offered("where_by_key", {"a", "c"}));
  for (const auto& [key, home] : homes) {
    const std::string now = served_by("where_by_key", {{"key", key}});
    EXPECT_EQ(now, home == "b" ? order_of(key)[1] : home) << key;
  }
  cluster.start("b");
  ASSERT_TRUE(cluster.wait_until_offered("where_by_key", {"a", "b", "c"}));
  for (const auto& [key, home] : homes) EXPECT_EQ(served_by("where_by_key", {{"key", key}}), home) << "back with it";
}

TEST_F(Strategies, C_D3_TheCallerNamesTheKey) {
  const auto node = join(cluster, seconds(10));
  ASSERT_TRUE(eventually([&] { return providers(*node, "where").size() == 3; }));
  for (int i = 0; i < kKeys / 2; ++i) {
    const std::string home = order_of(key(i)).front();
    const pid_t pid = cluster[home].process().pid();
    EXPECT_EQ(served_by("where", Json::object(), {"--sticky", key(i)}), home) << "the command line";
    EXPECT_EQ(served_for_client("--sticky", key(i)), home) << "a client";
    EXPECT_EQ(node->call<pid_t>("where", Json::object(), {.timeout = kLimit, .sticky_key = key(i)}), pid)
        << "a program that is a member";
    EXPECT_EQ(served_by("where_by_key", {{"key", "another"}}, {"--sticky", key(i)}), home)
        << "goes before what the service says";
  }
}

TEST_F(Strategies, C_D3_APluginNamesTheKey) {
  cluster.add("d", {"behaviours"});
  ASSERT_TRUE(cluster.wait_until_offered("nests", {"d"}));
  ASSERT_TRUE(cluster.wait_until_whole());
  for (int i = 0; i < kKeys / 2; ++i) {
    const Json request = {{"service", "where"}, {"request", Json::object()}, {"sticky_key", key(i)}};
    const Answer answer = caller().call("nests", request);
    EXPECT_EQ(answer.json["value"]["value"], cluster[order_of(key(i)).front()].process().pid()) << answer.out;
  }
}

TEST_F(Strategies, C_D3_LeastPendingPassesANodeWhoseCallsHang) {
  hang_at("a", 2);
  hang_at("b", 1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(served_by("where_is_least", Json::object()), "c") << "as the service says";
    EXPECT_EQ(served_by("where", Json::object(), {"--strategy", "least_pending"}), "c") << "as the caller says";
    EXPECT_EQ(served_for_client("--strategy", "least_pending"), "c") << "as a client says";
  }
  std::set<std::string> used;
  for (int i = 0; i < 60; ++i) used.insert(served_by("where_is_least", Json::object(), {"--strategy", "random"}));
  EXPECT_EQ(used.size(), 3u) << "the caller goes before the service";
  cluster.kill("c");
  ASSERT_TRUE(cluster.wait_until_offered("where", {"a", "b"}));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(served_by("where_is_least", Json::object()), "b");
  let_go("a");
  let_go("b");
}

TEST_F(Strategies, DescribeTellsThem) {
  const Answer sticky = caller().ask({"describe", "where_by_key"});
  EXPECT_EQ(sticky.json["strategy"], "sticky");
  EXPECT_EQ(sticky.json["sticky_field"], "key");
  EXPECT_EQ(caller().ask({"describe", "where_is_least"}).json["strategy"], "least_pending");
  const Answer plain = caller().ask({"describe", "where"});
  EXPECT_EQ(plain.json["strategy"], "random");
  EXPECT_FALSE(plain.json.contains("sticky_field"));
  EXPECT_THAT(caller().busbar({"describe", "where_by_key"}).out, HasSubstr("sticky by \"key\""));
  const Json services = caller().ask({"services"}).json["services"];
  for (const Json& row : services) {
    if (row["name"] != "where_by_key") continue;
    EXPECT_EQ(row["sticky_field"], "key") << "from the record alone";
  }
}

TEST(StrategyArguments, ThatContradictEachOtherAreRefused) {
  const TestHost host;
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"--strategy", "sticky"},
                                             {"--strategy", "best"},
                                             {"--sticky", ""},
                                             {"--sticky", "k", "--node", "a"},
                                             {"--sticky", "k", "--strategy", "random"},
                                             {"--sticky", "\xff"}}) {
    std::vector<std::string> arguments = {"call", "where", "{}"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ended ended = host.busbar(arguments);
    EXPECT_EQ(ended.status, 2) << ended.err;
    EXPECT_THAT(ended.err, AllOf(HasSubstr("--s"), HasSubstr("hint")));
  }
}

}  // namespace
}  // namespace busbar::system_tests
