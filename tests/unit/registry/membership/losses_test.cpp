// How a node that ends, freezes or is cut off is given up, and comes back.
#include "unit/registry/membership/three_nodes.hpp"

namespace busbar::registry::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(ThreeNodes, AKilledNodeIsGoneAsSoonAsItsConnectionIs) {  // C-G4
  network.crash("a");
  network.run(2ms);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("c"));
  EXPECT_THAT(network["b"].left, ElementsAre("a: its connection ended: reset"));
}

TEST_F(ThreeNodes, AKilledNodeThatHasNotWelcomedThisOneYetIsGoneAsSoonAsItsOwnConnectionIs) {  // C-G4
  network.drop = [](const std::string&, const std::string& to, const wire::Message& message) {
    return to == "late" && std::holds_alternative<wire::Hello>(message);
  };
  network.start("late", {"a"});
  network.run(1s);
  ASSERT_THAT(known_at(network, "a"), ElementsAre("b", "c", "late"));
  network.crash("late");
  network.run(2ms);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c"));
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a", "c"));
  EXPECT_THAT(network["a"].left, ElementsAre("late: its connection to this node ended"));
  network.start("late", {"a"}, 10);
  network.run(100ms);
  EXPECT_THAT(known_at(network, "a"), Contains("late")) << "it was lost, and may come back as it was";
}

TEST_F(ThreeNodes, TheEndOfANodesOwnConnectionIsNoLossWhileTheOneToItIsGreeted) {
  network.cut("b", "a");
  network.run(1s);
  EXPECT_THAT(network["b"].left, ElementsAre("a: its connection ended: reset"));
  EXPECT_THAT(network["a"].left, IsEmpty());
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, ANodeWithTwoConnectionsIsThereUntilTheLastOneEnds) {
  const wire::Hello hello{.cluster = "busbar", .record = record_of("d", 1)};
  const CallerId first = network.stranger(), second = network.stranger();
  network.ask("a", first, hello);
  network.ask("a", second, hello);
  network.hang_up("a", first);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c", "d"));
  network.hang_up("a", second);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c"));
}

TEST_F(ThreeNodes, TheEndOfAnEarlierStartsConnectionLeavesTheLaterOneAlone) {
  const CallerId first = network.stranger(), second = network.stranger();
  network.ask("a", first, wire::Hello{.cluster = "busbar", .record = record_of("d", 1)});
  network.ask("a", second, wire::Hello{.cluster = "busbar", .record = record_of("d", 2)});
  network.hang_up("a", first);
  ASSERT_THAT(known_at(network, "a"), ElementsAre("b", "c", "d"));
  EXPECT_EQ(network["a"].view.at("d").incarnation, 2U);
  network.hang_up("a", second);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c"));
}

TEST_F(ThreeNodes, ANewcomerThatIsGoneBeforeTheHolderOfItsNameWasAskedReplacesNobody) {  // C-G7
  network.freeze("c");
  const CallerId newcomer = network.stranger();
  NodeRecord elsewhere = record_of("c", 11);
  elsewhere.registry_address = "tcp://elsewhere:1";
  network.ask("a", newcomer, wire::Hello{.cluster = "busbar", .record = elsewhere});
  network.hang_up("a", newcomer);
  network.run(1s);
  EXPECT_EQ(network["a"].view.at("c").incarnation, 10U);
  EXPECT_THAT(network["a"].left, IsEmpty());
}

TEST_F(ThreeNodes, ASilentNodeIsLostAfterLostAfterAndNotBefore) {  // C-G4
  network.run(10s);
  network["a"].group = 1;
  network.run(1'900ms);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a", "c"));
  network.run(1'200ms);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("c"));
  EXPECT_THAT(network["b"].left, ElementsAre("a: nothing was heard of it for 3000 ms"));
  EXPECT_THAT(known_at(network, "a"), IsEmpty());
}

/// Runs until `holds`, in small steps; how long that took, or 10 s.
template <class Condition>
Duration time_until(VirtualNetwork& network, Condition holds) {
  const Time begun = network.now();
  while (!holds() && network.now() < begun + 10s) network.run(10ms);
  return network.now() - begun;
}

TEST_F(ThreeNodes, C_G4_ASilentNodeIsSuspectBeforeItIsLost) {
  network["a"].group = 1;
  const auto is_suspect = [&] { return network["b"].suspected.contains("a"); };
  EXPECT_LT(time_until(network, is_suspect), 2'100ms);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a", "c"));
  const Duration then = time_until(network, [&] { return !network["b"].view.contains("a"); });
  EXPECT_GE(then, 980ms);
  EXPECT_LE(then, 1'020ms);
  EXPECT_THAT(network["b"].suspected, IsEmpty());
}

TEST_F(ThreeNodes, C_G4_ASuspectThatIsHeardAgainIsTrustedAndWasNeverGone) {
  network["a"].group = 1;
  time_until(network, [&] { return network["b"].suspected.contains("a"); });
  network["a"].group = 0;
  network.run(1'100ms);
  EXPECT_THAT(network["b"].suspected, IsEmpty());
  EXPECT_THAT(network["b"].left, IsEmpty());
  network["a"].group = 1;
  EXPECT_LT(time_until(network, [&] { return network["b"].suspected.contains("a"); }), 2'100ms) << "and again";
}

TEST_F(ThreeNodes, C_G4_ANodeThatIsHeardButDoesNotAnswerIsLostUntilItAnswers) {
  network.drop = [](const std::string& from, const std::string& to, const auto&) { return from == "b" && to == "a"; };
  EXPECT_LT(time_until(network, [&] { return !network["b"].view.contains("a"); }), 3'100ms);
  EXPECT_THAT(network["b"].left, ElementsAre("a: it is heard, but has not answered for 3000 ms"));
  network.run(60s);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("c"));
  EXPECT_THAT(known_at(network, "a"), ElementsAre("c"));
  EXPECT_EQ(network["b"].left.size(), 1U) << "what it says does not bring it back";
  network.drop = nullptr;
  network.run(5s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, C_G4_ANodeThatIsHeardButDoesNotAnswerStaysLostForAsLongAsThatLasts) {
  network.drop = [](const std::string& from, const std::string& to, const auto&) { return from == "b" && to == "a"; };
  network.run(30min);
  EXPECT_EQ(network["b"].left.size(), 1U) << "it does not come and go";
  network.drop = nullptr;
  network.run(16s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, C_G4_ASilentLinkThatEndsAtLastIsLostAsOneThatDoesNotAnswer) {
  network.drop = [](const std::string& from, const std::string& to, const auto&) { return from == "b" && to == "a"; };
  network.run(2'500ms);
  network.cut("b", "a");
  network.run(60s);
  EXPECT_THAT(network["b"].left, ElementsAre("a: its connection ended: reset"))
      << "what it says does not bring it back";
}

TEST_F(ThreeNodes, C_G4_ANodeThatIsHeardButDoesNotAnswerIsTalkedToAsAtRest) {
  network.drop = [](const std::string& from, const std::string& to, const auto&) { return from == "b" && to == "a"; };
  network.run(10s);
  const std::size_t before = network.sent;
  network.run(10s);
  EXPECT_LE(network.sent - before, 10 * (3 * 2 * 2 + 6U)) << "heartbeats, their answers, and hellos in vain";
}

TEST_F(ThreeNodes, ACutThatHealsIsOverWithinSeconds) {
  network["a"].group = 1;
  network.run(60s);
  network["a"].group = 0;
  network.run(5s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, APartitionHealsByItself) {
  network["a"].group = 1;
  network.run(60s);
  network.change("a", {service("divide")});
  network["a"].group = 0;
  network.run(16s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, TwoThatHaveGivenEachOtherUpFindEachOtherThroughAThird) {
  network.drop = [](const std::string& from, const std::string& to, const auto&) { return from != "a" && to != "a"; };
  network.run(2h);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a"));
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c"));
  network.drop = nullptr;
  network.run(30s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, ACallerThatWasForgottenSaysHelloAgain) {
  network.drop = [](const std::string& from, const std::string& to, const auto&) { return from == "b" && to == "a"; };
  network.run(5min);  // what a says still reaches b
  EXPECT_THAT(known_at(network, "a"), ElementsAre("c"));
  network.drop = nullptr;
  network.run(16s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, NobodyIsLostWhileAllIsQuiet) {
  network.run(1h);
  EXPECT_THAT(network["a"].left, IsEmpty());
  EXPECT_THAT(network["b"].left, IsEmpty());
  EXPECT_THAT(network["a"].warnings, IsEmpty());
}

TEST_F(ThreeNodes, ANodeThatWasFrozenIsBackWhenItWakesWithoutARestart) {
  network.freeze("a");
  network.run(30s);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("c"));
  network.wake("a");
  network.run(3s);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_EQ(network["a"].machine->record().incarnation, 10U);
  EXPECT_THAT(network["a"].left, IsEmpty()) << "a itself was not listening, and blames nobody";
}

TEST_F(ThreeNodes, AShortFreezeIsNotNoticed) {
  network.freeze("a");
  network.run(1'500ms);
  network.wake("a");
  network.run(10s);
  EXPECT_THAT(network["b"].left, IsEmpty());
}

}  // namespace
}  // namespace busbar::registry::testing
