// Calls that wait for each other in a circle, through the real programs: on one node and across nodes (C-D14,
// decision 0028). Each has ten minutes, and ends at once.
#include <gmock/gmock.h>

#include <fstream>

#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// "service@node" of each call of a circle, in its order.
std::vector<std::string> calls_in(const Json& refused) {
  std::vector<std::string> calls;
  for (const Json& call : refused["value"]) {
    calls.push_back(call["service"].get<std::string>() + "@" + call["node"].get<std::string>());
  }
  return calls;
}

class Circles : public ClusterTest {
 protected:
  static constexpr const char* kLong = "600000";

  // Calls a service through others; what was answered in the end.
  static Json go(const TestHost& at, const std::string& service, std::vector<std::string> through) {
    const Answer answer = at.call(service, {{"through", std::move(through)}}, {"--timeout", kLong});
    EXPECT_EQ(answer.status, 0) << answer.out << answer.err;
    return answer.json["value"];
  }
  // Two such calls, each of which has its place before either goes on; what was answered.
  std::vector<Json> cross(TestHost& one, const std::string& first, TestHost& other, const std::string& second) {
    const auto door = one.root() / "open";
    const auto way = [&](const std::string& next) {
      return Json{{"through", {next}}, {"until", door.string()}}.dump();
    };
    std::vector<Process> callers;
    callers.push_back(one.start_busbar({"--json", "call", first, way(second), "--timeout", kLong}));
    callers.push_back(other.start_busbar({"--json", "call", second, way(first), "--timeout", kLong}));
    const auto inside = [](const TestHost& host, const std::string& service) {
      return host.plugin(service + ".so")["calls_running"] == 1;
    };
    EXPECT_TRUE(eventually([&] { return inside(one, first) && inside(other, second); }));
    std::ofstream{door};
    std::vector<Json> answers;
    for (Process& caller : callers) {
      const auto ended = caller.wait();
      if (!ended || ended->status != 0) ADD_FAILURE() << (ended ? ended->out + ended->err : "it hangs");
      answers.push_back(ended && ended->status == 0 ? Json::parse(ended->out)["value"] : Json());
    }
    return answers;
  }
};

TEST_F(Circles, C_D14_ACallThatComesBackToItsCallersNodeIsRefusedAtOnceAndSaidWhy) {
  TestHost& a = cluster.add("a", {"ring_a"});
  cluster.add("b", {"ring_b"});
  ASSERT_TRUE(cluster.wait_until_offered("ring_a", {"a"}));
  ASSERT_TRUE(cluster.wait_until_offered("ring_b", {"b"}));
  const Json refused = go(a, "ring_a", {"ring_b", "ring_a"});
  ASSERT_TRUE(refused.is_object()) << refused;
  EXPECT_EQ(refused["code"], "would_block");
  EXPECT_THAT(calls_in(refused), ::testing::ElementsAre("ring_a@a", "ring_a@a", "ring_b@b"));
  const std::string text = refused["text"];
  EXPECT_THAT(text, HasSubstr("service \"ring_a\" has its 1 calls running (max_running), and they wait for this one: "
                              "ring_a@a ("));
  for (const Json& call : refused["value"]) {
    EXPECT_THAT(text, HasSubstr(call["service"].get<std::string>() + "@" + call["node"].get<std::string>() + " (" +
                                call["message_id"].get<std::string>() + ") -> "));
  }
  EXPECT_TRUE(eventually([&] { return a.log().find("close a circle") != std::string::npos; }));
  EXPECT_THAT(a.log(), HasSubstr(text.substr(text.find("ring_a@a"))));
  EXPECT_THAT(a.log(),
              ::testing::ContainsRegex("close a circle[^\n]* message_id=[^\n]* correlation_id=[^\n]* trace_id="));
  const auto events = a.busbar({"--json", "events"});
  EXPECT_THAT(events.out, HasSubstr("circle_refused"));
}

TEST_F(Circles, C_D14_AcrossThreeNodesToo) {
  TestHost& a = cluster.add("a", {"ring_a"});
  cluster.add("b", {"ring_b"});
  cluster.add("c", {"ring_c"});
  for (const auto& [service, node] :
       std::map<std::string, std::string>{{"ring_a", "a"}, {"ring_b", "b"}, {"ring_c", "c"}}) {
    ASSERT_TRUE(cluster.wait_until_offered(service, {node}));
  }
  EXPECT_EQ(go(a, "ring_a", {"ring_b", "ring_c"}), "end");
  const Json refused = go(a, "ring_a", {"ring_b", "ring_c", "ring_a"});
  ASSERT_TRUE(refused.is_object()) << refused;
  EXPECT_EQ(refused["code"], "would_block");
  EXPECT_THAT(calls_in(refused), ::testing::ElementsAre("ring_a@a", "ring_a@a", "ring_b@b", "ring_c@c"));
}

TEST_F(Circles, C_D14_OfTwoCallersThatCrossOneIsRefusedAndTheOtherGoesOn) {
  TestHost& a = cluster.add("a", {"ring_a"});
  TestHost& b = cluster.add("b", {"ring_b"});
  ASSERT_TRUE(cluster.wait_until_offered("ring_a", {"a"}));
  ASSERT_TRUE(cluster.wait_until_offered("ring_b", {"b"}));
  const std::vector<Json> answers = cross(a, "ring_a", b, "ring_b");
  const Json& refused = answers[0].is_object() ? answers[0] : answers[1];
  EXPECT_EQ(answers[0].is_object() ? answers[1] : answers[0], "end");
  ASSERT_TRUE(refused.is_object());
  EXPECT_EQ(refused["code"], "would_block");
  EXPECT_THAT(calls_in(refused), UnorderedElementsAre("ring_a@a", "ring_a@a", "ring_b@b", "ring_b@b"));
}

TEST_F(Circles, C_D14_OfTwoCallersThatCrossOnOneNodeAsWell) {
  TestHost& a = cluster.add("a", {"ring_a", "ring_b"});
  const std::vector<Json> answers = cross(a, "ring_a", a, "ring_b");
  const Json& refused = answers[0].is_object() ? answers[0] : answers[1];
  EXPECT_EQ(answers[0].is_object() ? answers[1] : answers[0], "end");
  ASSERT_TRUE(refused.is_object());
  EXPECT_EQ(refused["code"], "would_block");
  EXPECT_THAT(calls_in(refused), UnorderedElementsAre("ring_a@a", "ring_a@a", "ring_b@a", "ring_b@a"));
}

TEST_F(Circles, WhereAPlaceIsFreeNobodyIsRefused) {
  TestHost& a = cluster.add("a", {"ring_a_wide"});
  cluster.add("b", {"ring_b"});
  ASSERT_TRUE(cluster.wait_until_offered("ring_a", {"a"}));
  ASSERT_TRUE(cluster.wait_until_offered("ring_b", {"b"}));
  EXPECT_EQ(go(a, "ring_a", {"ring_b", "ring_a"}), "end");
}

}  // namespace
}  // namespace busbar::system_tests
