// How what a node offers becomes known to all others.
#include "unit/registry/membership/three_nodes.hpp"

namespace busbar::registry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(ThreeNodes, AChangeIsKnownEverywhereAtOnceAndWhatIsGoneIsGone) {  // C-G1, C-G2
  network.change("a", {service("divide")});
  network.run(2ms);
  EXPECT_THAT(services_of(network, "b", "a"), ElementsAre("divide"));
  EXPECT_THAT(services_of(network, "c", "a"), ElementsAre("divide"));
  network.change("a", {});
  network.run(2ms);
  EXPECT_THAT(services_of(network, "b", "a"), IsEmpty());
}

TEST_F(ThreeNodes, C_G3_AChangeIsKnownToOneThatTheChangedNodeCannotDial) {
  network.switch_off("a");
  network.start("inside", {"b"}, 10, {}, "d");
  network.drop = [](const std::string&, const std::string& to, const auto& message) {
    return to == "inside" && !std::holds_alternative<wire::Welcome>(message) &&
           !std::holds_alternative<wire::HeartbeatAck>(message);
  };
  network.run(1s);
  network.change("b", {service("boil")});
  network.run(2s);
  EXPECT_THAT(services_of(network, "inside", "b"), ElementsAre("boil"));
}

TEST_F(ThreeNodes, RegisteringTheSameAgainTellsNobody) {  // C-G3
  const std::size_t before = network.sent;
  network.change("a", {service("apply")});
  EXPECT_EQ(network.sent, before);
}

TEST_F(ThreeNodes, ALostAnnounceIsHealedByTheNextHeartbeat) {  // C-G3
  network.drop = [](const auto&, const auto&, const wire::Message& message) {
    return std::holds_alternative<wire::Announce>(message);
  };
  network.change("a", {service("divide")});
  network.run(100ms);
  EXPECT_THAT(services_of(network, "b", "a"), ElementsAre("apply"));
  network.drop = nullptr;
  network.run(1'100ms);
  EXPECT_THAT(services_of(network, "b", "a"), ElementsAre("divide"));
  EXPECT_THAT(services_of(network, "c", "a"), ElementsAre("divide"));
}

TEST_F(ThreeNodes, C_G4_AChangeIsAcknowledgedByEverybodyWithinARoundTrip) {
  const Membership& machine = *network["a"].machine;
  EXPECT_TRUE(machine.acknowledged());
  network.change("a", {});
  EXPECT_FALSE(machine.acknowledged());
  network.run(2 * network.weather.least);
  EXPECT_TRUE(machine.acknowledged());
  for (const MemberRow& row : machine.rows()) EXPECT_EQ(row.acknowledged, machine.record().version) << row.name;
}

TEST_F(ThreeNodes, C_G4_WhoHasNotReadAChangeHasNotAcknowledgedIt) {
  network.drop = [](const auto&, const auto& to, const wire::Message& message) {
    return to == "b" && std::holds_alternative<wire::Announce>(message);
  };
  const Membership& machine = *network["a"].machine;
  network.change("a", {});
  network.run(5s);
  EXPECT_FALSE(machine.acknowledged());
  EXPECT_EQ(machine.rows()[0].acknowledged, 1U) << "what it has: the record before";
  EXPECT_EQ(machine.rows()[1].acknowledged, 2U);
  network.drop = nullptr;
  network.run(3s);
  EXPECT_TRUE(machine.acknowledged());
}

TEST_F(ThreeNodes, C_G4_NobodyIsWaitedForWhoIsGone) {
  network.freeze("b");
  network.change("a", {});
  network.run(100ms);
  EXPECT_FALSE(network["a"].machine->acknowledged());
  network.run(5s);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("c"));
  EXPECT_TRUE(network["a"].machine->acknowledged());
}

TEST_F(ThreeNodes, C_G4_ANewIncarnationIsAcknowledgedAnew) {
  const Membership& machine = *network["a"].machine;
  network.change("a", {});
  network.run(10ms);
  ASSERT_EQ(machine.rows()[0].acknowledged, 2U);
  const Actions actions = network["a"].machine->from_link(
      network.now(), LinkId{1}, wire::Refused{wire::kRefusedStaleIncarnation, "a later one is known", 20});
  EXPECT_FALSE(actions.empty());
  EXPECT_EQ(machine.record().incarnation, 21U);
  EXPECT_EQ(machine.rows()[0].acknowledged, 0U);
}

TEST_F(ThreeNodes, AnOlderRecordThatComesLateReplacesNothing) {  // C-G2
  const NodeRecord old = network["a"].machine->record();
  network.change("a", {service("divide")});
  network.run(10ms);
  network.inject("a", "b", wire::encode(wire::Announce{old}));
  network.run(10ms);
  EXPECT_THAT(services_of(network, "b", "a"), ElementsAre("divide"));
}

TEST_F(ThreeNodes, AGoodbyeIsKnownEverywhereAtOnceAndNotUndoneByWhatComesLate) {  // C-G4
  const NodeRecord old = network["a"].machine->record();
  network.leave("a");
  network.run(2ms);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("c"));
  EXPECT_THAT(known_at(network, "c"), ElementsAre("b"));
  EXPECT_THAT(network["b"].left, ElementsAre("a: it said goodbye"));
  const auto answers = network.ask("b", network.stranger(), wire::Hello{.cluster = "busbar", .record = old});
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(std::get<wire::Refused>(answers[0]).code, "stale_incarnation");
  network.run(60s);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("c"));
  network.start("a", {"b"}, 11);
  network.run(100ms);
  EXPECT_EQ(disagreement(network), "");
}

}  // namespace
}  // namespace busbar::registry::testing
