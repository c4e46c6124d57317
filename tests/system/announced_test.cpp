// What nodes know of each other's services, as plugins and nodes come and go.
#include <signal.h>

#include <filesystem>

#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

/// Nothing is said but what must be at once: neither a heartbeat nor the failure detector comes within a test.
constexpr const char* kTaciturn = "[registry]\nheartbeat = \"5m\"\nlost_after = \"1h\"\n";

class Announced : public ClusterTest {};

TEST_F(Announced, C_G1_OneThatJoinsLaterKnowsTheServicesOfEveryRouterOfEveryNode) {
  cluster.add("a", {"greeter", "behaviours"});
  cluster.add("b", {"echo"});
  cluster.add("c");
  ASSERT_TRUE(cluster.wait_until_whole());
  EXPECT_THAT(discovered(cluster["c"], "greet"), ElementsAre("a"));
  EXPECT_THAT(discovered(cluster["c"], "typed"), ElementsAre("a"));
  EXPECT_THAT(discovered(cluster["c"], "echo"), ElementsAre("b"));
  EXPECT_EQ(cluster["c"].ask({"discover", "typed"}).json["providers"][0]["router"], "behaviours");
  EXPECT_EQ(cluster["c"].ask({"discover", "greet"}).json["providers"][0]["router"], "greeter");
  EXPECT_EQ(cluster["c"].call("greet", {{"name", "Ada"}}).status, 0);
  EXPECT_EQ(cluster["c"].call("configured").status, 0);
}

TEST_F(Announced, C_G1_C_G6_APluginThatComesAndGoesIsKnownToTheOthers) {
  TestHost& a = cluster.add("a", {"echo"});
  TestHost& b = cluster.add("b");
  ASSERT_TRUE(cluster.wait_until_offered("echo", {"a"}));
  a.add("greeter");
  EXPECT_EQ(a.ask({"rescan"}).status, 0);
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"a"}));
  EXPECT_EQ(b.call("greet", {{"name", "Ada"}}).status, 0);

  std::filesystem::remove(a.plugins() / "greeter.so");
  a.process().signal(SIGHUP);
  EXPECT_TRUE(cluster.wait_until_offered("greet", {}));
  EXPECT_EQ(b.call("greet", {{"name", "Ada"}}).kind(), "service_unavailable");
  EXPECT_EQ(b.call("echo", 1).status, 0) << "the other router is still there";
}

TEST_F(Announced, C_G1_WhatComesAndGoesIsToldAtOnceAndNotAtTheNextExchange) {
  TestHost& a = cluster.make("a");
  TestHost& b = cluster.make("b");
  for (const char* name : {"a", "b"}) {
    cluster[name].configure(kTaciturn);
    cluster[name].add("echo");
    cluster.start(name);
  }
  ASSERT_TRUE(cluster.wait_until_offered("echo", {"a", "b"}));
  a.add("greeter");
  EXPECT_EQ(a.ask({"rescan"}).status, 0);
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"a"}));
  EXPECT_EQ(b.call("greet", {{"name", "Ada"}}).status, 0);
  std::filesystem::remove(a.plugins() / "greeter.so");
  EXPECT_EQ(a.ask({"rescan"}).status, 0);
  EXPECT_TRUE(cluster.wait_until_offered("greet", {}));
  b.add("greeter");
  EXPECT_EQ(b.ask({"rescan"}).status, 0);
  EXPECT_TRUE(cluster.wait_until_offered("greet", {"b"})) << "the one that joined is heard like the one that was there";
}

TEST_F(Announced, C_G6_AServiceIsOfferedUntilItsLastProviderIsGone) {
  cluster.add("a");
  cluster.add("b", {"greeter"});
  cluster.add("c", {"greeter"});
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"b", "c"}));
  cluster.kill("b");
  EXPECT_TRUE(cluster.wait_until_offered("greet", {"c"}));
  EXPECT_EQ(cluster["a"].call("greet", {{"name", "Ada"}}).status, 0);
  std::filesystem::remove(cluster["c"].plugins() / "greeter.so");
  EXPECT_EQ(cluster["c"].ask({"rescan"}).status, 0);
  EXPECT_TRUE(cluster.wait_until_offered("greet", {}));
  EXPECT_EQ(cluster["a"].ask({"discover", "greet"}).status, 3);
}

TEST_F(Announced, C_G1_WhatWasAnnouncedWhileANodeWasFrozenIsKnownToItAfterwards) {
  TestHost& a = cluster.add("a", {"echo"});
  TestHost& b = cluster.add("b");
  ASSERT_TRUE(cluster.wait_until_offered("echo", {"a"}));
  b.process().freeze();
  a.add("greeter");
  std::filesystem::remove(a.plugins() / "echo.so");
  EXPECT_EQ(a.ask({"rescan"}).status, 0);
  b.process().signal(SIGCONT);
  EXPECT_TRUE(cluster.wait_until_offered("greet", {"a"}));
  EXPECT_TRUE(cluster.wait_until_offered("echo", {}));
}

TEST_F(Announced, C_D12_TheOwnOneIsListedFirstAndThenTheOthers) {
  cluster.add("a", {"greeter"});
  cluster.add("b", {"greeter"});
  cluster.add("c", {"greeter"});
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"a", "b", "c"}));
  const auto nodes = discovered(cluster["b"], "greet");
  EXPECT_EQ(nodes.front(), "local");
  EXPECT_THAT(nodes, UnorderedElementsAre("local", "a", "c"));
  EXPECT_EQ(cluster["b"].call("greet", {{"name", "Ada"}}).json["node"], "b") << "a local one wins (C-D2)";
}

}  // namespace
}  // namespace busbar::system_tests
