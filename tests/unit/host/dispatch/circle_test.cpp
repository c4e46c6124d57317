// A circle of calls that wait for each other, found in what nodes have told, and named.
#include "dispatch/circle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace busbar::testing {
namespace {

using host::Circle;
using host::NamedCall;
using host::SentCall;
using host::WaitGraph;
using host::WaitsView;
using host::WaitView;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

NamedCall named(const std::string& service, const std::string& node, const std::string& id) {
  return {service, node, id};
}

WaitView at_gate(std::uint64_t number, std::vector<NamedCall> calls, std::vector<host::PlaceHolder> holders) {
  WaitView wait;
  wait.number = number;
  wait.calls = std::move(calls);
  wait.holders = std::move(holders);
  return wait;
}

WaitView sent(std::uint64_t number, std::vector<NamedCall> calls, SentCall call) {
  WaitView wait;
  wait.number = number;
  wait.calls = std::move(calls);
  wait.sent = std::move(call);
  return wait;
}

std::string words(const Circle& circle) { return host::in_words(circle); }

TEST(WaitGraph, FindsACircleOnOneNode) {
  WaitGraph graph;
  ASSERT_TRUE(graph.add("n", {{1},
                              {at_gate(1, {named("y", "n", "y1"), named("x", "n", "x2")}, {{2, 0}}),
                               at_gate(2, {named("x", "n", "x1"), named("y", "n", "y2")}, {{1, 0}})}}));
  EXPECT_EQ(words(graph.circle_through({"n", 1})), "x@n (x2) -> x@n (x1) -> y@n (y2) -> y@n (y1) -> x@n (x2)");
}

TEST(WaitGraph, FindsACircleThroughAnotherNodeAndBeginsWithTheCallAtTheGate) {
  WaitGraph graph;
  const SentCall there{"n", "m", 8, "b"}, back{"m", "n", 9, "c"};
  ASSERT_TRUE(graph.add("n", {{3},
                              {at_gate(3, {named("a", "n", "c")}, {{1, 1}}),
                               sent(1, {named("z", "n", "z"), named("a", "n", "a")}, there)}}));
  ASSERT_TRUE(graph.add(there, {{1}, {sent(1, {named("b", "m", "b")}, back)}}));
  ASSERT_TRUE(graph.add(back, {{3}, {at_gate(3, {named("a", "n", "c")}, {{1, 1}})}}));
  EXPECT_EQ(words(graph.circle_through({"n", 3})), "a@n (c) -> a@n (a) -> b@m (b) -> a@n (c)")
      << "who waits for it, and keeps no place in the circle, is no part of it";
}

TEST(WaitGraph, AWaitThatOnlyLeadsToACircleIsNoPartOfIt) {
  WaitGraph graph;
  ASSERT_TRUE(graph.add("n", {{3},
                              {at_gate(3, {named("x", "n", "x3")}, {{2, 0}}),
                               at_gate(1, {named("y", "n", "y1"), named("x", "n", "x2")}, {{2, 0}}),
                               at_gate(2, {named("x", "n", "x1"), named("y", "n", "y2")}, {{1, 0}})}}));
  EXPECT_TRUE(graph.circle_through({"n", 3}).empty());
  EXPECT_TRUE(graph.circle_through({"n", 9}).empty()) << "nobody told of that one";
}

TEST(WaitGraph, ToldThingsThatContradictEachOtherOrAreTooManyAreNotTaken) {
  WaitGraph graph;
  ASSERT_TRUE(graph.add("n", {{1}, {at_gate(1, {named("x", "n", "1")}, {})}}));
  EXPECT_TRUE(graph.add("n", {{1}, {at_gate(1, {named("x", "n", "1")}, {})}})) << "the same again";
  EXPECT_FALSE(graph.add("n", {{1}, {at_gate(1, {named("x", "n", "2")}, {})}}));
  EXPECT_FALSE(graph.add("n", {{2}, {at_gate(2, {}, {})}})) << "nobody waits at that gate";
  WaitGraph full;
  WaitsView many;
  for (std::uint64_t i = 0; i <= host::kMostWaitsTold; ++i)
    many.waits.push_back(at_gate(i, {named("x", "n", "x")}, {}));
  EXPECT_FALSE(full.add("n", many));
  WaitGraph long_one;
  EXPECT_FALSE(long_one.add("n", {{1}, {at_gate(1, std::vector<NamedCall>(host::kMostCallsTold + 1), {})}}));
}

TEST(WaitGraph, HoldersThatAreNotThereLeadNowhere) {
  WaitGraph graph;
  const SentCall unknown{"n", "m", 8, "b"};
  ASSERT_TRUE(
      graph.add("n", {{1},
                      {at_gate(1, {named("x", "n", "1")}, {{7, 0}, {2, 5}, {3, 0}}),
                       at_gate(2, {named("x", "n", "2")}, {{1, 0}}), sent(3, {named("x", "n", "3")}, unknown)}}));
  EXPECT_TRUE(graph.circle_through({"n", 1}).empty());
}

// Two that both find the circle must not both be refused, nor must each leave it to the other.
TEST(WaitGraph, ExactlyOneOfThoseInACircleIsToOpenIt) {
  const auto openers = [](std::vector<bool> is_new) {
    WaitGraph graph;
    std::vector<WaitView> waits;
    for (std::size_t i = 0; i < is_new.size(); ++i) {
      waits.push_back(at_gate(i, {named("x", "n", std::to_string(i))}, {{(i + 1) % is_new.size(), 0}}));
      waits.back().is_new = is_new[i];
    }
    waits.push_back(sent(9, {named("x", "n", "9")}, {"n", "m", 1, "m"}));  // at no gate: cannot be refused
    EXPECT_TRUE(graph.add("n", {{}, waits}));
    std::vector<std::uint64_t> out;
    for (std::size_t i = 0; i < is_new.size(); ++i) {
      if (graph.is_to_be_opened_by({"n", i}, is_new[i])) out.push_back(i);
    }
    return out;
  };
  EXPECT_THAT(openers({false, false, true}), ElementsAre(2)) << "who has closed it";
  EXPECT_THAT(openers({false, true, true}), ElementsAre(1)) << "the first of those";
  EXPECT_THAT(openers({false, false, false}), ElementsAre(0)) << "the first, where it has stood for a while";
}

TEST(Circle, OfALongOneTheMiddleIsLeftOutAndTheValueIsBounded) {
  Circle circle;
  for (int i = 0; i < 100; ++i) circle.push_back(named("s" + std::to_string(i), "n", "id"));
  const Response refused = host::refusal_of(circle, "service \"s0\" is full");
  EXPECT_TRUE(refused.is_error("would_block"));
  const std::string text(refused.text());
  EXPECT_THAT(text, HasSubstr("service \"s0\" is full, and they wait for this one: s0@n (id) -> s1@n (id)"));
  EXPECT_THAT(text, HasSubstr("88 more -> s99@n (id) -> s0@n (id)"));
  EXPECT_THAT(text, Not(HasSubstr("s50@n")));
  EXPECT_EQ(refused.value().to_json().size(), 64u);
  EXPECT_EQ(refused.value().to_json()[1], (nlohmann::json{{"service", "s1"}, {"node", "n"}, {"message_id", "id"}}));
}

}  // namespace
}  // namespace busbar::testing
