// What several nodes know of a call, as one story.
#include "admin/trail_document.hpp"

#include <gtest/gtest.h>

namespace busbar::host {
namespace {

using nlohmann::json;

json ran(const char* service, const char* id, const char* cause, int begun, int queued, int running) {
  return {{"kind", "ran"},     {"service", service},  {"message_id", id},     {"causation_id", cause},
          {"begun_us", begun}, {"queued_us", queued}, {"running_us", running}};
}
json ended(const char* service, const char* id, const char* cause, int begun, int whole, const char* outcome = "ok") {
  return {{"kind", "ended"},   {"service", service},   {"message_id", id},   {"causation_id", cause},
          {"begun_us", begun}, {"duration_us", whole}, {"outcome", outcome}, {"timeout_ms", 5000}};
}
json asked(const char* node, const char* service, const char* id, const char* cause, int begun, int whole,
           const char* outcome = "ok") {
  json row = ended(service, id, cause, begun, whole, outcome);
  row["kind"] = "asked";
  row["node"] = node;
  return row;
}
json going_on(const char* kind, const char* service, const char* id, const char* cause, int queued, int running) {
  json row = ran(service, id, cause, 0, queued, running);
  row["kind"] = kind;
  return row;
}

TEST(TrailDocument, ToldByTwoNodesIsOneHopWithItsTimeOnTheWire) {
  const json document =
      trail_document({{{"a", json::array({asked("b", "greet", "m", "m", 100, 500)})},
                       {"b", {ran("greet", "m", "m", 9000, 50, 250), ended("greet", "m", "m", 9000, 310)}}},
                      {}});
  ASSERT_EQ(document["hops"].size(), 1U);
  const json& hop = document["hops"][0];
  EXPECT_EQ(hop, (json{{"service", "greet"},
                       {"node", "b"},
                       {"message_id", "m"},
                       {"depth", 0},
                       {"state", "ended"},
                       {"outcome", "ok"},
                       {"duration_us", 500},
                       {"wire_us", 190},
                       {"queued_us", 50},
                       {"running_us", 250},
                       {"own_us", 250}}));
  EXPECT_EQ(document["longest"]["part"], "running");
}

TEST(TrailDocument, WhatAHandlerCausedStandsBelowItAndIsNotItsOwnTime) {
  const json document =
      trail_document({{{"a",
                        {ended("outer", "m", "m", 0, 1000), ran("outer", "m", "m", 0, 10, 990),
                         asked("b", "second", "m3", "m", 600, 300), asked("b", "first", "m2", "m", 100, 400)}},
                       {"b",
                        {ran("first", "m2", "m", 7000, 350, 20), ended("first", "m2", "m", 7000, 380),
                         ran("second", "m3", "m", 8000, 5, 200), ended("second", "m3", "m", 8000, 210)}}},
                      {}});
  ASSERT_EQ(document["hops"].size(), 3U);
  EXPECT_EQ(document["hops"][0]["own_us"], 290);
  EXPECT_EQ(document["hops"][1]["service"], "first");
  EXPECT_EQ(document["hops"][1]["depth"], 1);
  EXPECT_EQ(document["hops"][2]["service"], "second");
  EXPECT_EQ(
      document["longest"],
      (json{{"service", "first"}, {"node", "b"}, {"message_id", "m2"}, {"part", "queued"}, {"duration_us", 350}}));
}

TEST(TrailDocument, OneThatGoesOnIsShownAsFarAsItIs) {
  json sent = going_on("sent", "slow", "m", "m", 0, 4000);
  sent["node"] = "b";
  const json document = trail_document(
      {{{"a", json::array({sent})}, {"b", json::array({going_on("running", "slow", "m", "m", 100, 3800)})}}, {}});
  EXPECT_EQ(document["hops"][0]["state"], "running");
  EXPECT_EQ(document["hops"][0]["running_us"], 3800);
  EXPECT_FALSE(document["hops"][0].contains("wire_us"));
}

json deferred(json row, int queued, int running, int deferred) {
  row.update({{"queued_us", queued}, {"running_us", running}, {"deferred_us", deferred}});
  return row;
}

TEST(TrailDocument, WhoseAnswerIsLeftToSomebodyIsDeferredForSoLong) {
  const json document =
      trail_document({{{"e", json::array({deferred(ended("later", "m", "m", 0, 5000), 20, 80, 4900)})}}, {}});
  const json& hop = document["hops"][0];
  EXPECT_EQ(hop["state"], "ended");
  EXPECT_EQ(hop["running_us"], 80);
  EXPECT_EQ(hop["deferred_us"], 4900);
  EXPECT_EQ(hop["own_us"], 4980);
  EXPECT_EQ(document["longest"]["part"], "deferred");
  EXPECT_EQ(document["longest"]["duration_us"], 4900);
}

TEST(TrailDocument, OneThatWasGivenUpAndIsStillToBeAnsweredStaysDeferred) {
  const json document =
      trail_document({{{"e",
                        {deferred(going_on("deferred", "later", "m", "m", 0, 0), 20, 80, 5200),
                         deferred(ended("later", "m", "m", 0, 5000, "service_timeout"), 20, 80, 4900)}}},
                      {}});
  EXPECT_EQ(document["hops"][0]["state"], "deferred");
  EXPECT_EQ(document["hops"][0]["outcome"], "service_timeout");
  EXPECT_EQ(document["longest"]["part"], "deferred");
  EXPECT_EQ(document["longest"]["duration_us"], 4900);
}

// The handler has run for 1000, asked two others when it returned, which overlap, and answered when both had.
TEST(TrailDocument, WhileACallBelowGoesOnADeferredOneIsNotItself) {
  const json document =
      trail_document({{{"e",
                        {deferred(ended("outer", "m", "m", 100, 6010), 10, 1000, 5000),
                         asked("b", "one", "m2", "m", 1110, 3000), asked("b", "two", "m3", "m", 2110, 3500)}}},
                      {}});
  EXPECT_EQ(document["hops"][0]["own_us"], 1000 + 500);
  EXPECT_EQ(document["longest"]["service"], "two");
}

TEST(TrailDocument, OfOneThatWasGivenUpTheTimeOnTheWireIsToldAsFarAsItIsCertain) {
  const auto of = [](json there) {
    return trail_document(
        {{{"a", json::array({asked("b", "s", "m", "m", 0, 5000, "service_timeout")})}, {"b", std::move(there)}},
         {}})["hops"][0];
  };
  EXPECT_EQ(of(json::array({going_on("running", "s", "m", "m", 100, 900)}))["wire_us"], 4000);
  EXPECT_FALSE(of(json::array({going_on("queued", "s", "m", "m", 5010, 0)})).contains("wire_us"));
  const json late = {ended("s", "m", "m", 0, 4990, "service_timeout"), ran("s", "m", "m", 0, 10, 9000)};
  EXPECT_FALSE(of(late).contains("wire_us")) << "it came in time, and nobody waited for its end";
}

TEST(TrailDocument, ANodeThatDoesNotTellLeavesItsHopUnanswered) {
  const json document =
      trail_document({{{"a", json::array({asked("b", "s", "m", "m", 0, 5000, "service_timeout")})}}, {{"b", "gone"}}});
  EXPECT_EQ(document["hops"][0]["state"], "unanswered");
  EXPECT_EQ(document["longest"]["part"], "unanswered");
  EXPECT_EQ(document["unreachable"]["b"], "gone");
}

TEST(TrailDocument, AttemptsAtSeveralNodesAreAHopEach) {
  const json document = trail_document(
      {{{"a", {asked("b", "s", "m", "m", 0, 10, "overloaded"), asked("c", "s", "m", "m", 20, 30)}}}, {}});
  ASSERT_EQ(document["hops"].size(), 2U);
  EXPECT_EQ(document["hops"][0]["node"], "b");
  EXPECT_EQ(document["hops"][1]["node"], "c");
}

TEST(TrailDocument, CausesThatGoInACircleAreNoStoryWithoutEnd) {
  const json document = trail_document(
      {{{"a", {ran("x", "m1", "m2", 0, 1, 1), ran("y", "m2", "m1", 0, 1, 1), ran("z", "m3", "m1", 0, 1, 1)}}}, {}});
  EXPECT_EQ(document["hops"].size(), 3U);
}

TEST(TrailDocument, WhatIsNoRowIsAnErrorOfJsons) {
  for (const json& bad : {json{1}, json{{{"kind", "ran"}}}, json{{{"kind", 7}}}}) {
    EXPECT_THROW(trail_document({{{"a", bad}}, {}}), json::exception) << bad;
  }
  EXPECT_TRUE(trail_document({})["hops"].empty());
}

}  // namespace
}  // namespace busbar::host
