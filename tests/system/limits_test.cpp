// max_running and max_queued through the real programs.
#include <gmock/gmock.h>

#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::UnorderedElementsAre;

class Limits : public ClusterTest {
 protected:
  // A call that ends when the door is opened, of a service of which one runs and one waits.
  Process waits(const TestHost& at) {
    return at.start_busbar({"--json", "call", "waits_in_line", R"({"key":"door"})", "--timeout", "600000"});
  }
  static bool inside(const TestHost& host, int calls) {
    return eventually([&] { return host.plugin("behaviours.so")["calls_running"] == calls; });
  }
  static void expect_open(Process& caller) {
    const auto ended = caller.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->status, 0) << ended->out;
  }
};

TEST_F(Limits, C_D15_OneRunsOneWaitsAndTheThirdIsToldSo) {
  TestHost& host = cluster.add("a", {"behaviours"});
  Process first = waits(host);
  ASSERT_TRUE(inside(host, 1));
  Process second = waits(host);
  ASSERT_TRUE(inside(host, 2));
  const auto third = host.call("waits_in_line", {{"key", "door"}});
  EXPECT_EQ(third.status, 1);
  EXPECT_EQ(third.json["code"], "no_nodes_available");
  EXPECT_EQ(third.json["nodes"], Json::parse(R"([{"node":"local","reason":"overloaded"}])"));
  EXPECT_EQ(host.call("opens", {{"key", "door"}}).status, 0) << "the others of the plugin are not held up";
  expect_open(first);
  expect_open(second);
  EXPECT_EQ(host.call("waits_in_line", {{"key", "door"}}).status, 0);
}

TEST_F(Limits, C_D15_CallsGoToTheNodeThatHasRoom) {
  TestHost& a = cluster.add("a", {"behaviours"});
  TestHost& b = cluster.add("b", {"behaviours"});
  TestHost& caller = cluster.add("c");
  ASSERT_TRUE(cluster.wait_until_offered("waits_in_line", {"a", "b"}));
  std::vector<Process> four;
  for (int i = 0; i < 4; ++i) four.push_back(waits(caller));
  EXPECT_TRUE(inside(a, 2));
  EXPECT_TRUE(inside(b, 2));
  const auto fifth = caller.call("waits_in_line", {{"key", "door"}});
  std::vector<std::string> reasons;
  for (const Json& row : fifth.json["nodes"]) {
    reasons.push_back(row["node"].get<std::string>() + ": " + row["reason"].get<std::string>());
  }
  EXPECT_THAT(reasons, UnorderedElementsAre("a: overloaded", "b: overloaded"));
  for (TestHost* host : {&a, &b}) EXPECT_EQ(host->call("opens", {{"key", "door"}}).status, 0);
  for (Process& process : four) expect_open(process);
}

}  // namespace
}  // namespace busbar::system_tests
