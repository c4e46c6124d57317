// What is told where the nodes' pictures of the cluster differ.
#include "admin/views.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace busbar::host {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json row(const std::string& name, const std::string& state, std::uint64_t incarnation = 10, std::uint64_t version = 1) {
  return {{"name", name},
          {"state", state},
          {"incarnation", incarnation},
          {"version", version},
          {"version_since", name + " since " + std::to_string(version) + " says " + state}};
}

NodeView view(const std::string& node, json rows, json departed = json::array()) {
  return {.node = node, .document = {{"nodes", std::move(rows)}, {"departed", std::move(departed)}}};
}

/// Three that see each other; a is who asks.
std::vector<NodeView> three() {
  return {view("a", {row("a", "self"), row("b", "up"), row("c", "up")}),
          view("b", {row("b", "self"), row("a", "up"), row("c", "up")}),
          view("c", {row("c", "self"), row("a", "up"), row("b", "up")})};
}

json& row_in(NodeView& view, std::size_t index) { return view.document["nodes"][index]; }

json differences(std::vector<NodeView> views) {
  const json document = views_document(std::move(views));
  EXPECT_EQ(document["agree"], document["differences"].empty());
  return document["differences"];
}

TEST(Views, OfNodesThatSeeTheSameAgree) {
  auto views = three();
  views[1].took = std::chrono::microseconds(700);
  const json rows = views[1].document["nodes"];
  const json document = views_document(std::move(views));
  EXPECT_EQ(document["agree"], true);
  EXPECT_EQ(document["differences"], json::array());
  ASSERT_EQ(document["views"].size(), 3u);
  EXPECT_EQ(document["views"][1],
            json({{"node", "b"}, {"duration_us", 700}, {"nodes", rows}, {"departed", json::array()}}));
}

TEST(Views, OfANodeAloneAgree) { EXPECT_EQ(differences({view("a", json::array({row("a", "self")}))}), json::array()); }

TEST(Views, TellWhoDoesNotSeeWhomSinceWhenAndWhy) {
  auto views = three();
  views[1] = view("b", {row("b", "self"), row("a", "up")},
                  {{{"name", "c"}, {"since", "noon"}, {"reason", "it was silent"}}, {{"name", "x"}}});
  views[1].document["departed"].erase(1);
  EXPECT_EQ(
      differences(views),
      json({{{"kind", "not_seen"}, {"node", "b"}, {"peer", "c"}, {"since", "noon"}, {"reason", "it was silent"}}}));
  views[1].document["departed"].clear();
  EXPECT_EQ(differences(views), json({{{"kind", "not_seen"}, {"node", "b"}, {"peer", "c"}}}));
}

TEST(Views, DoNotMissOneThatHasLeftForAll) {
  auto views = three();
  for (NodeView& each : views) {
    each.document["departed"].push_back({{"name", "x"}, {"since", "noon"}, {"reason", "it said goodbye"}});
  }
  EXPECT_EQ(differences(views), json::array());
}

TEST(Views, TellWhoHasLostOneThatNobodySees) {
  auto views = three();
  const json lost = {{"name", "x"}, {"may_return", true}, {"since", "noon"}, {"reason", "it was silent"}};
  views[1].document["departed"].push_back(lost);
  EXPECT_EQ(differences(views),
            json({{{"kind", "lost"}, {"node", "b"}, {"peer", "x"}, {"since", "noon"}, {"reason", "it was silent"}}}));
  views[2].document["nodes"].push_back(row("x", "up"));
  for (const json& found : differences(views)) EXPECT_NE(found["kind"], "lost") << "c sees it";
}

TEST(Views, TellWhoseRecordIsBehindAndSinceWhenThereIsANewerOne) {
  auto views = three();
  row_in(views[0], 2)["version"] = 4;
  row_in(views[2], 0) = row("c", "self", 10, 4);
  EXPECT_EQ(differences(views), json({{{"kind", "behind"},
                                       {"node", "b"},
                                       {"peer", "c"},
                                       {"version", 1},
                                       {"newest", 4},
                                       {"since", "c since 4 says self"}}}));
}

TEST(Views, TellWhoIsBehindTheOthersWhereTheNodeItselfDoesNotAnswer) {
  auto views = three();
  views[2] = {.node = "c", .error = "nothing within 5000 ms"};
  row_in(views[0], 2) = row("c", "up", 10, 7);
  const json found = differences(views);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["kind"], "behind");
  EXPECT_EQ(found[0]["newest"], 7);
  EXPECT_EQ(found[0]["since"], "c since 7 says up");
  EXPECT_EQ(found[1], json({{"kind", "no_answer"}, {"node", "c"}, {"reason", "nothing within 5000 ms"}}));
}

TEST(Views, TellWhoKnowsAnEarlierStart) {
  auto views = three();
  row_in(views[1], 2) = row("c", "up", 9, 80);  // its version is of another count
  EXPECT_EQ(differences(views),
            json({{{"kind", "other_incarnation"}, {"node", "b"}, {"peer", "c"}, {"incarnation", 9}, {"newest", 10}}}));
}

TEST(Views, TellWhoCannotCallWhom) {
  auto views = three();
  row_in(views[2], 1)["state"] = "unreachable";
  row_in(views[1], 1)["state"] = "suspect";
  row_in(views[1], 1)["state_since"] = "noon";
  EXPECT_EQ(differences(views), json({{{"kind", "suspect"}, {"node", "b"}, {"peer", "a"}, {"since", "noon"}},
                                      {{"kind", "unreachable"}, {"node", "c"}, {"peer", "a"}}}));
}

TEST(Views, NameOneThatOnlyOthersSeeAsNotAsked) {
  std::vector<NodeView> views = {view("a", {row("a", "self"), row("b", "up")}),
                                 view("b", {row("b", "self"), row("a", "up"), row("c", "up")})};
  const json document = views_document(std::move(views));
  EXPECT_EQ(document["differences"],
            json({{{"kind", "not_seen"}, {"node", "a"}, {"peer", "c"}},
                  {{"kind", "no_answer"}, {"node", "c"}, {"reason", "it was not asked, as a does not see it"}}}));
  ASSERT_EQ(document["views"].size(), 3u);
  EXPECT_EQ(document["views"][2], json({{"node", "c"}, {"error", "it was not asked, as a does not see it"}}));
}

TEST(Views, OfAnOlderVersionAreComparedAsFarAsTheyTell) {
  auto views = three();
  row_in(views[0], 2)["version"] = 4;
  row_in(views[2], 0)["version"] = 4;
  for (json& each : views[1].document["nodes"]) {
    each.erase("version");
    each.erase("version_since");
  }
  views[1].document.erase("departed");
  EXPECT_EQ(differences(views), json::array());
}

TEST(Views, ThatCannotBeReadCountAsNone) {
  for (const json& unfit : {json(7), json::object(), json({{"nodes", 7}}), json({{"nodes", {{{"name", "b"}}}}}),
                            json({{"nodes", {{{"name", 1}, {"state", "up"}, {"incarnation", 1}}}}})}) {
    auto views = three();
    views[1].document = unfit;
    const json document = views_document(views);
    ASSERT_EQ(document["differences"].size(), 1u) << unfit << document;
    EXPECT_EQ(document["differences"][0]["kind"], "no_answer");
    EXPECT_THAT(document["differences"][0]["reason"].get<std::string>(), HasSubstr("cannot be read"));
    EXPECT_EQ(document["views"][1].count("nodes"), 0u);
  }
}

}  // namespace
}  // namespace busbar::host
