// What is not said as it should be.
#include "unit/registry/membership/three_nodes.hpp"

namespace busbar::registry::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ThreeNodes, NothingHappensAfterLeaving) {
  Membership& machine = *network["a"].machine;
  EXPECT_FALSE(machine.leave(network.now()).empty());
  EXPECT_THAT(machine.leave(network.now()), IsEmpty());
  EXPECT_THAT(machine.tick(network.now() + 10s), IsEmpty());
  EXPECT_THAT(machine.local_services_changed(network.now(), {service("x")}), IsEmpty());
  EXPECT_EQ(machine.next_deadline(), Time::max());
}

// -- what others say is not believed

TEST_F(ThreeNodes, NothingIsTakenFromWhoHasNotSaidHello) {
  const CallerId stranger = network.stranger();
  const std::uint64_t before = network["a"].machine->ignored();
  EXPECT_THAT(network.ask("a", stranger, wire::Announce{record_of("b", 99)}), IsEmpty());
  EXPECT_THAT(network.ask("a", stranger, wire::Goodbye{"b", 10}), IsEmpty());
  EXPECT_THAT(network.ask("a", stranger, wire::Ping{1}), IsEmpty());
  EXPECT_THAT(network.ask("a", stranger, wire::Heartbeat{"b", 10, 5, 0}), IsEmpty());
  EXPECT_THAT(network.ask("a", stranger, wire::Peers{{{"x", 1, "tcp://x:1"}}}), IsEmpty());
  EXPECT_EQ(network["a"].machine->ignored() - before, 5U);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, AConnectionSpeaksForOneNodeOnly) {  // C-G2
  const CallerId x = network.stranger();
  network.ask("a", x, wire::Hello{.cluster = "busbar", .record = record_of("x")});
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c", "x"));
  const std::uint64_t before = network["a"].machine->ignored();
  network.ask("a", x, wire::Announce{record_of("b", 99)});
  network.ask("a", x, wire::Goodbye{"b", 10});
  network.ask("a", x, wire::Heartbeat{"b", 10, 5, 0});
  network.ask("a", x, wire::Hello{.cluster = "busbar", .record = record_of("b", 99)});
  network.ask("a", x, wire::Welcome{.record = record_of("b", 99), .peers = {}});
  network.ask("a", x, wire::HeartbeatAck{});
  EXPECT_EQ(network["a"].machine->ignored() - before, 6U);
  EXPECT_EQ(network["a"].view.at("b").incarnation, 10U);
}

TEST_F(ThreeNodes, AConnectionThatWasRefusedSpeaksForNobodyAnyMore) {
  const CallerId x = network.stranger();
  network.ask("a", x, wire::Hello{.cluster = "busbar", .record = record_of("x", 5)});
  network.ask("a", network.stranger(), wire::Hello{.cluster = "busbar", .record = record_of("x", 6)});
  EXPECT_EQ(network["a"].view.at("x").incarnation, 6U);
  const auto answers = network.ask("a", x, wire::Heartbeat{"x", 5, 1, 0});
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(std::get<wire::Refused>(answers[0]).incarnation, 6U);
  const std::uint64_t before = network["a"].machine->ignored();
  EXPECT_THAT(network.ask("a", x, wire::Ping{1}), IsEmpty());
  EXPECT_EQ(network["a"].machine->ignored() - before, 1U);
}

TEST_F(ThreeNodes, AnotherClustersNodeIsRefusedInWords) {
  const auto answers = network.ask("a", network.stranger(), wire::Hello{.cluster = "other", .record = record_of("x")});
  ASSERT_EQ(answers.size(), 1U);
  const auto& refused = std::get<wire::Refused>(answers[0]);
  EXPECT_EQ(refused.code, "other_cluster");
  EXPECT_EQ(refused.text, "it belongs to cluster \"other\", node a to cluster \"busbar\"");
  EXPECT_THAT(network["a"].warnings, Contains(HasSubstr("refused node x at tcp://x:1")));
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c"));
}

TEST_F(ThreeNodes, AnotherMajorVersionIsRefusedInWords) {
  const auto answers = network.ask("a", network.stranger(), wire::OtherMajor{"hello", 2});
  ASSERT_EQ(answers.size(), 1U);
  const auto& refused = std::get<wire::Refused>(answers[0]);
  EXPECT_EQ(refused.code, "other_version");
  EXPECT_THAT(refused.text, HasSubstr("version 2"));
  EXPECT_THAT(refused.text, HasSubstr("speaks version 1"));
}

TEST(Joining, ANodeThatIsRefusedForItsClusterSaysSoOnceAndGoesOnTrying) {
  Membership machine(options_of_b_with_seed_a(), {});
  Time now{};
  const wire::Refused refused{"other_cluster", "it belongs to cluster \"x\"", 0};
  LinkId link = std::get<Connect>(machine.start(now).at(0)).link;
  ASSERT_TRUE(std::holds_alternative<SendToLink>(machine.link_up(now, link).at(0)));
  auto actions = machine.from_link(now, link, refused);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_THAT(std::get<Warn>(actions[0]).text, HasSubstr("could not join through tcp://a:1: it belongs to cluster"));
  EXPECT_EQ(std::get<Close>(actions[1]).link, link);
  EXPECT_TRUE(machine.introduced());
  for (actions.clear(); actions.empty(); actions = machine.tick(now)) now = machine.next_deadline();
  EXPECT_GE(now, Time{} + 8s) << "at the slowest pace";
  link = std::get<Connect>(actions[0]).link;
  machine.link_up(now, link);
  actions = machine.from_link(now, link, refused);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Close>(actions[0])) << "the same is not said again within a minute";
}

TEST_F(ThreeNodes, BrokenMessagesAreCountedAndHarmNobody) {
  network.inject("a", "b", {0xFF, 0x00});
  network.inject("a", "b", {});
  network.run(10ms);
  EXPECT_EQ(network["b"].machine->ignored(), 2U);
  EXPECT_THAT(network["b"].warnings, Contains(HasSubstr("a broken message from a")));
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, ALinkThatSendsNonsenseIsDroppedAndDialledLater) {
  const auto actions = network["b"].machine->bad_from_link(network.now(), LinkId{1}, "nonsense");
  ASSERT_EQ(actions.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Warn>(actions[0]));
  EXPECT_TRUE(std::holds_alternative<Close>(actions[1]));
  EXPECT_EQ(std::get<NodeLeft>(actions[2]).name, "a");
}

TEST_F(ThreeNodes, ALinkOfALongTimeThatSendsNonsenseIsNotGivenUp) {
  network.run(30h);
  Membership& b = *network["b"].machine;
  for (std::uint64_t link = 1; link < 5; ++link) b.bad_from_link(network.now(), LinkId{link}, "nonsense");
  const Actions actions = b.tick(network.now() + 13s);
  EXPECT_EQ(std::count_if(actions.begin(), actions.end(),
                          [](const Action& action) { return std::holds_alternative<Connect>(action); }),
            2)
      << "to a, its seed, and to c";
}

TEST_F(ThreeNodes, AnIncarnationThatLeavesNoNextOneIsNotTaken) {
  const wire::Refused refused{"stale_incarnation", "", std::uint64_t{1} << 62};
  network["b"].machine->from_link(network.now(), LinkId{1}, refused);
  EXPECT_EQ(network["b"].machine->record().incarnation, 10U);
}

}  // namespace
}  // namespace busbar::registry::testing
