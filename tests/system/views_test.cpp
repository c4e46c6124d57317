// `busbar nodes --views`: what real hosts say of each other, put side by side.
#include <signal.h>

#include "system/support/patient.hpp"
#include "system/support/raw_member.hpp"
#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace wire = registry::wire;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// `kind node` or `kind node peer` of each difference.
std::vector<std::string> differences(const Answer& views) {
  std::vector<std::string> out;
  for (const Json& row : views.json["differences"]) {
    const std::string peer = row.value("peer", "");
    out.push_back(row.value("kind", "") + " " + row.value("node", "") + (peer.empty() ? "" : " " + peer));
  }
  return out;
}

/// The row of `nodes` in the view of `of`.
Json row_in(const Answer& views, const std::string& of, const std::string& name) {
  for (const Json& view : views.json["views"]) {
    if (view.value("node", "") != of) continue;
    for (const Json& row : view.value("nodes", Json::array())) {
      if (row.value("name", "") == name) return row;
    }
  }
  return {};
}

class Views : public ClusterTest {
 protected:
  void start_patient(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      cluster.make(name).configure(kPatient);
      cluster.start(name);
    }
    ASSERT_TRUE(cluster.wait_until_whole());
  }
};

TEST_F(Views, AllAgreeWhereAllIsWell) {
  cluster.add("a", {"greeter"});
  cluster.add("b", {"echo"});
  cluster.add("c");
  ASSERT_TRUE(cluster.wait_until_whole());
  Answer views;
  ASSERT_TRUE(eventually([&] {
    views = cluster["b"].ask({"nodes", "--views"});
    return views.status == 0;
  })) << views.out;
  EXPECT_EQ(views.json["agree"], true);
  EXPECT_THAT(differences(views), IsEmpty());
  ASSERT_EQ(views.json["views"].size(), 3u);
  EXPECT_EQ(views.json["views"][0]["node"], "b");
  for (const char* of : {"a", "b", "c"}) {
    EXPECT_EQ(row_in(views, of, "a")["version"], row_in(views, "a", "a")["version"]) << of;
    EXPECT_EQ(row_in(views, of, of)["state"], "self");
  }
  EXPECT_EQ(cluster["a"].busbar({"nodes", "--views"}).out, "all 3 nodes see the same\n");
  const std::string address = cluster_status(cluster["a"], "address");
  Command elsewhere;
  elsewhere.arguments = {tested::busbar(), "--connect", address, "nodes", "--views"};
  elsewhere.scratch = cluster["a"].root();
  const Ended other_way = run(elsewhere);
  EXPECT_EQ(other_way.out, "all 3 nodes see the same\n");
  EXPECT_EQ(other_way.status, 0);
}

TEST_F(Views, AFrozenHostDoesNotAnswerAndTheOthersAreToldAllTheSame) {
  start_patient({"a", "b", "c"});
  cluster["c"].process().freeze();
  const Answer views = cluster["a"].ask({"nodes", "--views", "--timeout", "500"});
  EXPECT_EQ(views.status, 1);
  EXPECT_EQ(views.json["agree"], false);
  EXPECT_THAT(differences(views), testing::Contains("no_answer c"));
  EXPECT_FALSE(row_in(views, "b", "a").is_null());
  const Ended text = cluster["a"].busbar({"nodes", "--views", "--timeout", "500"});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.out, StartsWith("3 nodes, which do not see the same:\n"));
  EXPECT_THAT(text.out, HasSubstr("  c did not answer ("));
  cluster["c"].process().signal(SIGCONT);
}

TEST_F(Views, OneThatSomeNodeHasLostIsToldWithWhenAndWhy) {
  TestHost& a = cluster.make("a");
  a.configure(kPatient);
  cluster.start("a");
  TestHost& b = cluster.add("b");  // loses who is silent after 2 s
  ASSERT_TRUE(cluster.wait_until_whole());
  RawMember at_a("raw", cluster.seed());
  RawMember at_b("raw", cluster_status(b, "registry_address"));
  at_a.hello();
  at_b.hello();
  Answer views;
  ASSERT_TRUE(eventually([&] {
    views = a.ask({"nodes", "--views", "--timeout", "300"});
    return differences(views) == std::vector<std::string>{"not_seen b raw", "no_answer raw"};
  })) << views.out;
  EXPECT_EQ(views.status, 1);
  const Json lost = views.json["differences"][0];
  EXPECT_EQ(lost["reason"], "nothing was heard of it for 2000 ms");
  EXPECT_GT(lost["since"], row_in(views, "a", "raw")["since"]) << "in UTC, and so in the order of time";
  EXPECT_THAT(a.busbar({"nodes", "--views", "--timeout", "300"}).out,
              HasSubstr("  b does not see raw since " + lost["since"].get<std::string>() +
                        " (nothing was heard of it for 2000 ms)\n"));
}

TEST_F(Views, OneThatAllHaveLostIsToldUntilItIsBackAndOneThatHasLeftIsNot) {
  cluster.add("a");
  cluster.add("b");
  cluster.add("c");
  ASSERT_TRUE(cluster.wait_until_whole());
  cluster["b"].stop();
  ASSERT_TRUE(eventually([&] {
    return cluster["a"].busbar({"nodes", "--views"}).status == 0;
  })) << "it has said goodbye";
  cluster.kill("c");
  Answer views;
  ASSERT_TRUE(eventually([&] {
    views = cluster["a"].ask({"nodes", "--views"});
    return differences(views) == std::vector<std::string>{"lost a c"};
  })) << views.out;
  EXPECT_EQ(views.status, 1);
  const Ended people = cluster["a"].busbar({"nodes", "--views"});
  EXPECT_EQ(people.status, 1);
  EXPECT_THAT(people.out, AllOf(StartsWith("one node, which should not be the only one:\n  a has lost c since 2"),
                                HasSubstr(views.json["differences"][0]["reason"].get<std::string>())));
  cluster.start("c");
  EXPECT_TRUE(eventually([&] { return cluster["a"].busbar({"nodes", "--views"}).status == 0; }));
}

TEST_F(Views, WhoHasAnOlderRecordIsToldWithBothVersions) {
  start_patient({"a", "b"});
  RawMember at_a("raw", cluster.seed());
  RawMember at_b("raw", cluster_status(cluster["b"], "registry_address"));
  at_a.hello();
  at_b.hello();
  at_a.announce({"told_to_a_alone"});
  Answer views;
  ASSERT_TRUE(eventually([&] {
    views = cluster["a"].ask({"nodes", "--views", "--timeout", "300"});
    const auto found = differences(views);
    return std::find(found.begin(), found.end(), "behind b raw") != found.end();
  })) << views.out;
  for (const Json& row : views.json["differences"]) {
    if (row["kind"] != "behind") continue;
    EXPECT_EQ(row["version"], 1);
    EXPECT_EQ(row["newest"], 2);
    EXPECT_EQ(row["since"], row_in(views, "a", "raw")["version_since"]);
  }
  at_b.announce({"told_to_a_alone"});
  EXPECT_TRUE(eventually([&] {
    const auto found = differences(cluster["a"].ask({"nodes", "--views", "--timeout", "300"}));
    return std::find(found.begin(), found.end(), "behind b raw") == found.end();
  }));
}

}  // namespace
}  // namespace busbar::system_tests
