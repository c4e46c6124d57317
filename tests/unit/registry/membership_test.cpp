#include <gmock/gmock.h>

#include "unit/registry/virtual_network.hpp"

namespace busbar::registry::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> known_at(VirtualNetwork& network, const std::string& key) {
  std::vector<std::string> names;
  for (const auto& [name, record] : network[key].view) names.push_back(name);
  return names;
}

std::vector<std::string> services_of(VirtualNetwork& network, const std::string& at, const std::string& node) {
  std::vector<std::string> names;
  for (const auto& service : network[at].view.at(node).services) names.push_back(service.name);
  return names;
}

MembershipOptions options_of_b_with_seed_a() {
  MembershipOptions options;
  options.node = "b";
  options.incarnation = 1;
  options.registry_address = "tcp://b:1";
  options.call_address = "tcp://b:2";
  options.seeds = {"tcp://a:1"};
  return options;
}

NodeRecord record_of(const std::string& name, std::uint64_t incarnation = 1) {
  return {.name = name,
          .incarnation = incarnation,
          .version = 1,
          .call_address = "tcp://" + name + ":2",
          .registry_address = "tcp://" + name + ":1",
          .services = {}};
}

/// a is the seed; b and c join through it.
struct ThreeNodes : ::testing::Test {
  ThreeNodes() {
    network.start("a", {}, 10, {service("apply")});
    network.start("b", {"a"}, 10, {service("bake")});
    network.start("c", {"a"}, 10, {service("count")});
    network.run(1s);
    EXPECT_EQ(disagreement(network), "");
  }
  VirtualNetwork network;
};

/// The addresses that are dialled within that time, by nobody's answering.
std::vector<std::string> dialled(Membership& machine, Time from, Duration within, Actions actions = {}) {
  std::vector<std::string> out;
  for (Time now = from; now < from + within; now += 100ms) {
    for (Action& next : machine.tick(now)) actions.push_back(std::move(next));
    for (const Action& action : std::exchange(actions, {})) {
      const auto* connect = std::get_if<Connect>(&action);
      if (connect == nullptr) continue;
      out.push_back(connect->address);
      machine.link_down(now, connect->link, "nobody is there");
    }
  }
  return out;
}

TEST(Seeds, ThatAreNewAreDialledAndThoseThatAreNotListedAnyMoreAreNot) {
  Membership machine(options_of_b_with_seed_a(), {});
  const Time begin{};
  EXPECT_THAT(dialled(machine, begin, 3s, machine.start(begin)), Contains("tcp://a:1"));
  const Time later = begin + 3s;
  const auto now = dialled(machine, later, 10s, machine.seeds_changed(later, {"tcp://c:1"}, {}));
  EXPECT_THAT(now, Contains("tcp://c:1"));
  EXPECT_THAT(now, ::testing::Not(Contains("tcp://a:1")));
  EXPECT_THAT(dialled(machine, later + 10s, 10s, machine.seeds_changed(later + 10s, {}, {})), IsEmpty());
}

TEST(Joining, ThreeNodesFindEachOtherThroughOneSeed) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"a"});
  network.run(100ms);
  network.start("c", {"a"});
  network.run(100ms);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b", "c"));
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a", "c"));
  EXPECT_THAT(known_at(network, "c"), ElementsAre("a", "b"));
}

TEST(Joining, TwoThatJoinAtTheSameMomentThroughOneSeedFindEachOther) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"a"});
  network.start("c", {"a"});
  network.run(100ms);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a", "c"));
}

TEST(Joining, TwoThatJoinAtTheSameMomentThroughDifferentSeedsFindEachOther) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"a"});
  network.run(100ms);
  network.start("c", {"a"});
  network.start("d", {"b"});
  network.run(100ms);
  EXPECT_EQ(disagreement(network), "");
}

TEST(Joining, ALateJoinerLearnsTheServicesOfEveryRouterOfEveryNode) {  // C-G1
  VirtualNetwork network;
  network.start("a", {}, 10, {service("count", "numbers"), service("spell", "words")});
  network.start("b", {"a"}, 10, {service("bake", "kitchen"), service("fry", "kitchen")});
  network.run(10s);
  network.start("late", {"a"});
  network.run(100ms);
  EXPECT_THAT(services_of(network, "late", "a"), ElementsAre("count", "spell"));
  EXPECT_THAT(services_of(network, "late", "b"), ElementsAre("bake", "fry"));
  EXPECT_EQ(network["late"].view.at("a").services[0].router, "numbers");
  EXPECT_EQ(network["late"].view.at("b").call_address, "tcp://b:2");
}

TEST(Joining, ASeedThatComesLaterIsJoinedThen) {
  VirtualNetwork network;
  network.start("b", {"a"});
  network.start("c", {"a"});
  network.run(60s);
  EXPECT_THAT(known_at(network, "b"), IsEmpty());
  network.start("a", {});
  network.run(13s);  // the longest delay and its jitter
  EXPECT_EQ(disagreement(network), "");
}

TEST(Joining, ASeedIsDialledLessAndLessOftenAndForEver) {
  Membership machine(options_of_b_with_seed_a(), {});
  std::vector<Duration> delays;
  std::vector<std::string> warnings;
  Time now{};
  Time last{};
  Actions actions = machine.start(now);
  while (now < Time{} + 24h) {
    for (const Action& action : actions) {
      const auto* connect = std::get_if<Connect>(&action);
      if (connect == nullptr) continue;
      delays.push_back(now - last);
      last = now;
      for (const Action& said : machine.link_down(now, connect->link, "connection refused"))
        warnings.push_back(std::get<Warn>(said).text);
    }
    now = machine.next_deadline();
    actions = machine.tick(now);
  }
  ASSERT_GT(delays.size(), 7'000U);
  const auto is_about = [](Duration delay, Duration wanted) {
    return delay >= wanted * 8 / 10 && delay <= wanted * 12 / 10;
  };
  EXPECT_TRUE(is_about(delays[1], 100ms)) << delays[1].count();
  EXPECT_TRUE(is_about(delays[2], 200ms)) << delays[2].count();
  EXPECT_TRUE(is_about(delays[5], 1'600ms)) << delays[5].count();
  EXPECT_NE(delays[1], 100ms) << "no jitter";
  Time dialled{};
  for (const Duration delay : delays) {
    dialled += delay;
    if (dialled > Time{} + 10s && dialled < Time{} + 5min) {
      ASSERT_TRUE(is_about(delay, 2s)) << delay.count();
    }
    if (dialled > Time{} + 6min) {
      ASSERT_TRUE(is_about(delay, 10s)) << delay.count();
    }
  }
  EXPECT_THAT(warnings, ElementsAre("could not reach seed tcp://a:1: connection refused; it is tried again until it is "
                                    "there"));
}

TEST(Joining, AnAddressThatIsNoSeedIsGivenUpAfterADay) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"a"});
  network.run(1s);
  network.crash("b");
  network.run(50min);
  network.start("b", {}, 11);
  network.run(13s);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b")) << "found again, as a dials it";
  network.crash("b");
  network.run(23h);
  network.start("b", {}, 12);
  network.run(73s);
  EXPECT_THAT(known_at(network, "a"), ElementsAre("b")) << "also after a night, but not as soon";
  network.crash("b");
  network.run(25h);
  network.start("b", {}, 13);
  network.run(5min);
  EXPECT_THAT(known_at(network, "a"), IsEmpty());
}

/// Ten others may be members, so that a hundred and twenty addresses may be dialled.
TEST(Joining, AddressesWhereNobodyIsAnyMoreLeaveRoomForThoseOfNewMembers) {
  VirtualNetwork network;
  network.max_peers = 10;
  network.start("a", {});
  for (int i = 0; i < 150; ++i) {
    const std::string key = "short-lived-" + std::to_string(i);
    network.start(key, {"a"});
    network.run(100ms);
    network.crash(key);
    network.run(10s);
  }
  network.start("b", {"a"});
  network.run(5'300ms);  // not at a heartbeat, which would tell it, too
  network.change("a", {service("apply")});
  network.run(50ms);
  EXPECT_THAT(services_of(network, "b", "a"), ElementsAre("apply")) << "a has dialled b, and tells it at once";
}

TEST(Joining, TheOwnAddressAmongTheSeedsIsPassedOver) {
  VirtualNetwork network;
  network.start("a", {"a", "alias-a", "b"});
  network.start("b", {"a", "b"});
  network.run(1s);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_TRUE(network["a"].machine->introduced());
  EXPECT_THAT(network["a"].warnings, IsEmpty());
  const std::size_t before = network.sent;
  network.run(1s);
  EXPECT_LE(network.sent - before, 4U) << "one heartbeat and its answer each: no link leads to a itself any more";
}

TEST(Joining, ANodeIsIntroducedWhenEachSeedHasAnsweredOrFailed) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"a", "nowhere"});
  EXPECT_FALSE(network["b"].machine->introduced());
  network.run(1ms);
  EXPECT_FALSE(network["b"].machine->introduced()) << "one has failed, the other is not joined yet";
  network.run(100ms);
  EXPECT_TRUE(network["b"].machine->introduced());
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a"));
}

TEST(Joining, ANodeThatWasWelcomedHasMetWhomItWasToldOfWhenItIsIntroduced) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"a"});
  network.run(1s);
  network.start("c", {"a"});
  while (!network["c"].machine->introduced()) network.run(1ms);
  EXPECT_THAT(known_at(network, "c"), ElementsAre("a", "b"));
}

TEST(Joining, ASeedThatNeverAnswersIsWaitedForASecondOnceAnotherHasWelcomedTheNode) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("hole", {}).group = 1;
  network.start("b", {"a", "hole"});
  network.run(900ms);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a"));
  EXPECT_FALSE(network["b"].machine->introduced()) << "it may be only slow";
  network.run(200ms);
  EXPECT_TRUE(network["b"].machine->introduced());
  network.start("alone", {"hole"});
  network.run(2'900ms);
  EXPECT_FALSE(network["alone"].machine->introduced()) << "nobody has told it that it is a member";
  network.run(200ms);
  EXPECT_TRUE(network["alone"].machine->introduced());
}

TEST(Joining, OneLivingSeedOfManyIsEnough) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("hole", {}).group = 1;
  network.start("b", {"nowhere", "hole", "a", "nobody"});
  network.start("c", {"a"});
  network.run(1s);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a", "c"));
}

TEST(Joining, NoSeedIsNeededOnceJoinedAndOneThatReturnsIsFound) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"a"});
  network.start("c", {"a"});
  network.run(1s);
  network.crash("a");
  network.run(2h);
  network.change("b", {service("bake")});
  network.run(100ms);
  EXPECT_THAT(services_of(network, "c", "b"), ElementsAre("bake"));
  network.start("a", {}, 11);
  network.run(13s);  // the longest delay and its jitter
  EXPECT_EQ(disagreement(network), "") << "it knows of nobody: the others dial it, for ever";
}

TEST(SeedNames, AllAddressesOfANameAreDialled) {
  VirtualNetwork network;
  network.names["seeds"] = {"nowhere", "a", "b"};
  network.start("a", {});
  network.start("b", {});
  network.start("c", {"seeds"});
  EXPECT_FALSE(network["c"].machine->introduced());
  network.run(100ms);
  EXPECT_THAT(known_at(network, "c"), ElementsAre("a", "b"));
  EXPECT_TRUE(network["c"].machine->introduced());
  EXPECT_THAT(network["c"].warnings, IsEmpty()) << "by this name somebody is reached";
}

TEST(SeedNames, ANameIsLookedUpAgainUntilAllOfItIsReachedAndThenNoMore) {
  VirtualNetwork network;
  network.names["seeds"] = {"a", "b"};
  network.start("a", {});
  network.start("c", {"seeds"});
  network.run(1s);
  EXPECT_THAT(network.looked_up, ::testing::AllOf(::testing::Ge(3U), ::testing::Le(5U))) << "the delay doubles";
  network.run(10min);
  std::size_t before = network.looked_up;
  network.run(100s);
  EXPECT_THAT(network.looked_up - before, ::testing::AllOf(::testing::Ge(8U), ::testing::Le(13U))) << "every 10 s";
  network.start("b", {});
  network.run(13s);
  EXPECT_EQ(disagreement(network), "");
  before = network.looked_up;
  network.run(1h);
  EXPECT_EQ(network.looked_up, before);
}

TEST(SeedNames, ASeedThatHasMovedIsFoundAtTheNewAddressOfItsName) {
  VirtualNetwork network;
  network.names["seed"] = {"old"};
  network.start("old", {}, 10, {}, "a");
  network.start("b", {"seed"});
  network.run(1s);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a"));
  network.crash("old");
  network.run(2h);
  network.start("new", {}, 11, {}, "a");
  network.names["seed"] = {"new"};
  network.run(13s);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a"));
  network.start("old", {}, 1, {}, "somebody");
  network.run(1h);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a")) << "the name stands for the old address no more";
}

TEST(SeedNames, AnAddressThatIsGivenItselfStaysASeedWhenANameStandsForItNoMore) {
  VirtualNetwork network;
  network.names["seed"] = {"a"};
  network.start("b", {"seed", "a"});
  network.run(1s);
  network.names["seed"] = {"c"};
  network.run(2h);
  network.start("a", {});
  network.run(13s);
  EXPECT_EQ(disagreement(network), "");
}

TEST(SeedNames, ANameThatCannotBeLookedUpIsTriedForEverAndToldOfOnce) {
  VirtualNetwork network;
  network.names["seed"] = {};
  network.start("b", {"seed"});
  network.run(10ms);
  EXPECT_TRUE(network["b"].machine->introduced());
  network.run(24h);
  EXPECT_GT(network.looked_up, 7'000U);
  EXPECT_THAT(network["b"].warnings,
              ElementsAre("could not reach seed tcp://seed:1: its name cannot be looked up: no such name; it is tried "
                          "again until it is there"));
  network.names["seed"] = {"a"};
  network.start("a", {});
  network.run(13s);
  EXPECT_EQ(disagreement(network), "");
}

TEST(SeedNames, ALookUpThatTakesLongIsNotWaitedForByWhoWantsToBeReady) {
  VirtualNetwork network;
  network.names["seed"] = {"a"};
  network.names_hang = true;
  network.start("b", {"seed"});
  network.run(2'900ms);
  EXPECT_FALSE(network["b"].machine->introduced());
  network.run(200ms);
  EXPECT_TRUE(network["b"].machine->introduced());
  EXPECT_EQ(network["b"].warnings.size(), 1U);
  network.run(1h);
  EXPECT_EQ(network.looked_up, 1U) << "it is still being looked up";
}

TEST(SeedNames, OneWhoseAddressesAreAllDeadIsToldOfOnceWithAllOfThem) {
  VirtualNetwork network;
  network.names["seed"] = {"x", "y"};
  network.start("b", {"seed"});
  network.run(1h);
  EXPECT_THAT(network["b"].warnings, ElementsAre("could not reach seed tcp://seed:1: nobody answers at tcp://x:1, "
                                                 "tcp://y:1; it is tried again until it is there"));
}

TEST(SeedNames, TheOwnAddressAmongThoseOfANameIsDialledOnceAlone) {
  VirtualNetwork network;
  network.names["all"] = {"alias-a", "b"};
  network.start("a", {"all"});
  network.start("b", {"all"});
  network.run(10s);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_TRUE(network["a"].machine->introduced());
  const std::size_t before = network.sent;
  network.run(10s);
  EXPECT_LE(network.sent - before, 44U) << "heartbeats, their answers and an exchange: no link leads to a itself";
}

TEST(SeedNames, ANameThatStandsForThisNodeAloneIsLookedUpAgain) {
  VirtualNetwork network;
  network.names["all"] = {"alias-a"};
  network.start("a", {"all"});
  network.start("b", {});
  network.run(10min);
  network.names["all"] = {"alias-a", "b"};
  network.run(13s);
  EXPECT_EQ(disagreement(network), "");
}

struct AtMostTwoPeers : ::testing::Test {
  AtMostTwoPeers() {
    network.max_peers = 2;
    network.start("a", {});
    network.start("b", {"a"});
    network.start("c", {"a"});
    network.run(1s);
    EXPECT_EQ(disagreement(network), "");
  }
  VirtualNetwork network;
};

TEST_F(AtMostTwoPeers, AFourthNodeIsRefusedAndBothSaySo) {
  network.start("d", {"a"});
  network.run(10min);
  for (const char* each : {"a", "b", "c"}) EXPECT_EQ(known_at(network, each).size(), 2U) << each;
  EXPECT_THAT(known_at(network, "d"), IsEmpty());
  EXPECT_TRUE(network["d"].refused.empty()) << "it goes on trying";
  EXPECT_TRUE(network["d"].machine->introduced());
  EXPECT_THAT(network["a"].warnings,
              ::testing::Each("refused node d at tcp://d:1: this node knows 2 others already, "
                              "and registry.max_peers is 2; to let more in, raise it on all nodes"));
  EXPECT_THAT(network["d"].warnings,
              ::testing::Each(HasSubstr("node a knows 2 others already, which is the most that its registry.max_peers "
                                        "(2) allows")));
  for (const char* each : {"a", "d"}) {
    EXPECT_THAT(network[each].warnings.size(), ::testing::AllOf(::testing::Ge(5U), ::testing::Le(10U)))
        << each << ": not more than once a minute";
  }
}

TEST_F(AtMostTwoPeers, OneThatWasRefusedIsLetInWhenThereIsRoom) {
  network.start("d", {"a"});
  network.run(1min);
  network.leave("c");
  network.run(13s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(AtMostTwoPeers, AMemberThatWasLostHasItsPlaceWhenItComesBackFirst) {
  network.crash("c");
  network.run(5s);
  network.start("c", {"a"}, 11);
  network.run(13s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(AtMostTwoPeers, WhoIsFullAsksNobodyElseToLetItIn) {
  network.crash("b");
  network.run(5s);
  network.start("b", {"a", "later"}, 11);
  network.run(5s);
  network.start("later", {});  // has room itself
  network.run(10min);
  EXPECT_THAT(known_at(network, "b"), ElementsAre("a", "c"));
  EXPECT_THAT(known_at(network, "later"), IsEmpty());
  EXPECT_THAT(network["later"].left, IsEmpty()) << "nobody comes and goes";
}

TEST(Joining, ASeedUnderAnotherNameForItsAddressIsOneLink) {
  VirtualNetwork network;
  network.start("a", {});
  network.start("b", {"alias-a"});
  network.run(10s);
  EXPECT_EQ(disagreement(network), "");
  const std::size_t before = network.sent;
  network.run(1s);
  EXPECT_LE(network.sent - before, 4U);
  network.crash("a");
  network.run(1s);
  EXPECT_THAT(known_at(network, "b"), IsEmpty());
  network.start("a", {}, 11);
  network.run(13s);
  EXPECT_EQ(disagreement(network), "");
}

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

TEST_F(ThreeNodes, ANodeThatIsKilledAndRestartedAtOnceReplacesItself) {  // C-G7
  network.crash("a");
  network.start("a", {"b"}, 11, {service("other")});
  network.run(100ms);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_THAT(services_of(network, "c", "a"), ElementsAre("other"));
  EXPECT_EQ(network["b"].left.size(), 1U);
  EXPECT_EQ(network["a"].refused, "");
}

TEST_F(ThreeNodes, ARestartElsewhereReplacesAHolderThatDoesNotAnswerAPing) {  // C-G7
  network.freeze("a");
  network.start("new", {"b"}, 11, {service("other")}, "a");
  network.run(400ms);
  EXPECT_EQ(network["b"].view.at("a").incarnation, 10U) << "it has 500 ms";
  network.run(200ms);
  EXPECT_EQ(network["b"].view.at("a").incarnation, 11U);
  EXPECT_THAT(network["b"].left, ElementsAre("a: replaced by a later start of it"));
  network.run(5s);
  EXPECT_EQ(network["c"].view.at("a").registry_address, "tcp://new:1");
  EXPECT_EQ(network["new"].refused, "");
}

TEST_F(ThreeNodes, TheFrozenHolderOfANameThatWasTakenOverStaysOutsideWhenItWakesAndSaysSo) {
  network.freeze("a");
  network.start("new", {"b"}, 11, {service("other")}, "a");
  network.run(10s);
  network.wake("a");
  network.run(30s);
  EXPECT_EQ(network["b"].view.at("a").registry_address, "tcp://new:1");
  EXPECT_EQ(network["c"].view.at("a").registry_address, "tcp://new:1");
  EXPECT_THAT(network["a"].warnings,
              Contains(HasSubstr("the name \"a\" is held by another live node, at tcp://new:1")));
  EXPECT_EQ(network["a"].refused, "") << "it has been a member: it does not give up";
  network.leave("new");
  network.run(30s);
  EXPECT_EQ(network["b"].view.at("a").registry_address, "tcp://a:1");
}

TEST_F(ThreeNodes, ASecondNodeOfALiveNameIsRefusedAndToldWhoHoldsIt) {  // C-G7
  network.start("new", {"b"}, 11, {}, "a");
  network.run(1s);
  EXPECT_THAT(network["new"].refused, HasSubstr("the name \"a\" is held by another live node, at tcp://a:1"));
  EXPECT_THAT(network["new"].refused, HasSubstr("tcp://b:1"));
  EXPECT_EQ(network["new"].machine->next_deadline(), Time::max());
  network["new"].alive = false;
  network.run(5s);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_THAT(network["b"].left, IsEmpty());
  EXPECT_THAT(network["b"].warnings, Contains(HasSubstr("refused a second node named a, at tcp://new:1")));
}

TEST_F(ThreeNodes, ANodeRefusesASecondOneOfItsOwnName) {  // C-G7
  network.start("new", {"a"}, 11, {}, "a");
  network.run(1s);
  EXPECT_THAT(network["new"].refused, HasSubstr("held by another live node, at tcp://a:1"));
}

/// Two live nodes are named a: the first is cut off, with d, when the second is let in by b and c.
struct TwoOfOneName : ThreeNodes {
  TwoOfOneName() {
    network.start("d", {"a", "b"}, 10, {service("divide")});
    network.run(1s);
    network["a"].group = network["d"].group = 1;
    network.run(10s);
    network.start("new", {"b"}, 20, {service("other")}, "a");
    network.run(1s);
    EXPECT_EQ(network["b"].view.at("a").registry_address, "tcp://new:1");
    EXPECT_EQ(network["d"].view.at("a").registry_address, "tcp://a:1");
    network["a"].group = network["d"].group = 0;
  }
  void expect_that_all_route_to(const std::string& key) {
    for (const char* node : {"b", "c", "d"}) {
      ASSERT_TRUE(network[node].view.contains("a")) << node;
      EXPECT_EQ(network[node].view.at("a").registry_address, "tcp://" + key + ":1") << node;
    }
  }
};

TEST_F(TwoOfOneName, C_G8_NeitherEndsAndAllAgreeOnTheLaterOne) {
  network.run(30s);
  expect_that_all_route_to("new");
  EXPECT_EQ(network["a"].refused, "");
  EXPECT_EQ(network["new"].refused, "");
  EXPECT_THAT(network["d"].left, Contains("a: another live node of its name, at tcp://new:1, was started later"));
  network.run(10min);
  expect_that_all_route_to("new");
  EXPECT_THAT(network["a"].raised, IsEmpty()) << "nobody fights for the name";
  EXPECT_THAT(network["new"].raised, IsEmpty());
}

TEST_F(TwoOfOneName, C_G8_BothSaySo) {
  network.run(30s);
  EXPECT_THAT(network["a"].warnings,
              Contains(HasSubstr("the name \"a\" is held by another live node, at tcp://new:1")));
  EXPECT_THAT(network["new"].warnings, Contains(HasSubstr("refused a second node named a, at tcp://a:1")));
  EXPECT_THAT(network["d"].warnings,
              Contains("two live nodes are named a, at tcp://a:1 and at tcp://new:1: the one at tcp://new:1 is routed "
                       "to, as it was started later; give one of them another name"));
}

TEST_F(TwoOfOneName, C_G8_TheOtherOneIsBackWhenTheLaterOneLeaves) {
  network.run(30s);
  network.leave("new");
  network.run(30s);
  expect_that_all_route_to("a");
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(TwoOfOneName, C_G8_TheOtherOneIsBackWhenTheLaterOneDies) {
  network.run(30s);
  network.crash("new");
  network.run(30s);
  expect_that_all_route_to("a");
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, C_G8_OfTwoThatWereStartedAtTheSameMomentAllAgreeOnOne) {
  network["a"].group = 1;
  network.run(10s);
  network.start("new", {"b"}, 10, {service("other")}, "a");
  network.run(1s);
  network["a"].group = 0;
  network.run(30s);
  EXPECT_EQ(network["b"].view.at("a").registry_address, "tcp://a:1");
  EXPECT_EQ(network["c"].view.at("a").registry_address, "tcp://a:1");
  EXPECT_EQ(network["new"].refused, "");
}

TEST_F(ThreeNodes, C_G8_OfTwoThatWereStartedAtTheSameMomentAThirdNodeTellsWhichOneIsRoutedTo) {
  network.start("d", {"b"});
  network.run(1s);
  network.crash("a");
  network["d"].group = network["a"].group = 1;
  network.run(10s);
  network.start("a", {"d"}, 20);  // which knows of nobody else
  network.start("new", {"b"}, 20, {}, "a");
  network.run(1s);
  network["d"].group = network["a"].group = 0;
  network.run(5s);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_EQ(network["b"].view.at("a").registry_address, "tcp://a:1");
}

TEST(Names, C_G7_ANodeThatNobodyAnswersIsRefusedByTheMemberOfItsNameThatFindsIt) {
  VirtualNetwork network;
  network.start("b", {});
  network.start("a", {"b", "second"});
  network.run(1s);
  network.start("second", {"nowhere"}, 11, {}, "a");
  network.run(3s);
  EXPECT_THAT(network["second"].refused, HasSubstr("held by another live node, at tcp://a:1"));
  EXPECT_EQ(network["a"].refused, "");
}

TEST_F(ThreeNodes, C_G7_OneWithoutSeedsThatTakesTheNameOfALiveNodeByMistakeIsRefused) {
  network.crash("a");
  network.run(1s);
  network.start("a", {}, 20, {}, "b");  // where the others look for their seed
  network.run(5s);
  EXPECT_THAT(network["a"].refused, HasSubstr("held by another live node, at tcp://b:1"));
  EXPECT_EQ(network["c"].view.at("b").registry_address, "tcp://b:1");
  EXPECT_THAT(network["c"].left, ElementsAre(HasSubstr("a: ")));
}

TEST(Names, C_G7_AWelcomeThatWasSaidBeforeAQuickRestartDoesNotKeepTheNameForWhoIsGone) {
  VirtualNetwork network;
  network.weather.least = network.weather.most = 100ms;
  network.start("a", {});
  network.start("b", {"a"});
  network.run(450ms);  // a has b's hello; its own has been answered by b, and the answer is on its way
  ASSERT_THAT(known_at(network, "a"), ElementsAre("b"));
  ASSERT_THAT(known_at(network, "b"), ElementsAre("a"));
  network.crash("b");
  NodeRecord elsewhere = record_of("b", 11);
  elsewhere.registry_address = "tcp://elsewhere:1";
  network.ask("a", network.stranger(), wire::Hello{.cluster = "busbar", .record = elsewhere});
  network.run(400ms);
  EXPECT_EQ(network["a"].view.at("b").incarnation, 11U);
}

TEST_F(ThreeNodes, C_G2_ALaterStartIsNoChangeOfTheRecordOfAnotherOneThatWaitedForItsName) {
  network.freeze("c");
  NodeRecord elsewhere = record_of("c", 11);
  elsewhere.registry_address = "tcp://elsewhere:1";
  network.ask("a", network.stranger(), wire::Hello{.cluster = "busbar", .record = elsewhere});
  network.ask("a", network.stranger(), wire::Hello{.cluster = "busbar", .record = record_of("c", 12)});
  network.run(1s);
  EXPECT_EQ(network["a"].view.at("c").incarnation, 12U);
  EXPECT_THAT(network["a"].left,
              ElementsAre("c: replaced by a later start of it", "c: replaced by a later start of it"));
}

TEST_F(ThreeNodes, C_G3_ANodeThatComesInWhenTheLastHolderOfItsNameIsGivenUpIsToldOfChanges) {
  network.switch_off("c");
  network.run(2'700ms);
  network.start("new", {"b"}, 11, {}, "c");  // and b, which has it wait for c to answer, loses c meanwhile
  network.run(5s);
  ASSERT_EQ(disagreement(network), "");
  network.change("b", {service("bread")});
  network.run(1s);
  EXPECT_THAT(services_of(network, "new", "b"), ElementsAre("bread"));
}

TEST_F(ThreeNodes, C_G9_TwoThatRememberLaterStartsOfEachOtherAreToldOfEachOtherByAThirdNode) {
  network["a"].group = 1;
  network.run(10s);  // a remembers c
  network.crash("b");
  network.crash("c");
  network.start("b", {}, 11);
  network.start("elsewhere", {"b"}, 3, {}, "c");  // its clock was set back
  network.start("new", {"b"}, 20, {}, "a");
  network.run(1s);  // and c remembers a later start of a
  network.crash("new");
  network.crash("b");
  network.start("b", {"a", "elsewhere"}, 12);  // which remembers nobody
  network["a"].group = 0;
  network.run(5s);
  EXPECT_EQ(disagreement(network), "");
}

TEST_F(ThreeNodes, TheSameNameAndIncarnationAtTwoAddressesIsWarnedOf) {
  network.start("new", {"b"}, 10, {}, "a");
  network.run(1s);
  EXPECT_THAT(network["b"].warnings, Contains(HasSubstr("two nodes are named a and have the same incarnation")));
  EXPECT_EQ(network["b"].view.at("a").registry_address, "tcp://a:1");
}

TEST_F(ThreeNodes, ANodeWhoseClockWasSetBackTakesAHigherIncarnationThanItsLast) {  // C-G9
  network.crash("a");
  network.start("a", {"b"}, 3, {service("other")});
  network.run(100ms);
  EXPECT_THAT(network["a"].raised, ElementsAre(11));
  EXPECT_EQ(network["a"].machine->record().incarnation, 11U);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_THAT(services_of(network, "c", "a"), ElementsAre("other"));
}

TEST_F(ThreeNodes, ARaisedIncarnationReplacesTheOneThatOthersLetInBefore) {  // C-G9
  network["b"].group = 1;
  network.crash("a");
  network.run(10s);
  network["c"].group = 1;
  network["b"].group = 0;
  network.start("a", {"b", "c"}, 3);
  network.run(10s);
  network["c"].group = 0;
  network.run(20s);
  EXPECT_EQ(disagreement(network), "");
  EXPECT_EQ(network["b"].view.at("a").incarnation, 11U);
}

TEST_F(ThreeNodes, RowsTellOfEachMember) {
  network.run(3s);
  const auto rows = network["b"].machine->rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "a");
  EXPECT_EQ(rows[0].incarnation, 10U);
  EXPECT_EQ(rows[0].call_address, "tcp://a:2");
  EXPECT_EQ(rows[0].registry_address, "tcp://a:1");
  EXPECT_EQ(rows[0].round_trip, 2ms);
  EXPECT_EQ(rows[0].services, 1U);
  EXPECT_EQ(rows[0].acknowledged, 1U);
  EXPECT_LT(rows[0].since, network.now() - 3s);
}

TEST_F(ThreeNodes, RowsTellWhichRecordIsKnownAndSinceWhen) {
  const auto row_of_a = [&] { return network["b"].machine->rows().at(0); };
  EXPECT_EQ(row_of_a().version, 1U);
  EXPECT_EQ(row_of_a().version_since, row_of_a().since);
  network.change("a", {service("avow")});
  network.run(100ms);
  EXPECT_EQ(row_of_a().version, 2U);
  EXPECT_EQ(row_of_a().version_since, network.now() - 99ms) << "a message takes 1 ms";
}

TEST_F(ThreeNodes, WhoHasLeftIsRememberedWithWhenAndWhyUntilItIsBack) {
  const auto& remembered = network["b"].machine->departed().entries();
  network.crash("c");
  network.run(1s);
  const Time lost = network.now() - 1s + network.weather.least;
  ASSERT_TRUE(remembered.contains("c"));
  EXPECT_EQ(remembered.at("c").left, lost);
  EXPECT_EQ(remembered.at("c").reason, "its connection ended: reset");
  EXPECT_FALSE(remembered.at("c").is_over);
  network.start("c", {"a"}, 11);
  network.run(1s);
  EXPECT_FALSE(remembered.contains("c"));
  network.leave("c");
  network.run(1s);
  EXPECT_EQ(remembered.at("c").reason, "it said goodbye");
  EXPECT_TRUE(remembered.at("c").is_over);
  network.run(11min);
  EXPECT_THAT(remembered, IsEmpty());
}

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
