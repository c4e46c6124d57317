// How nodes find each other: through seeds, names of seeds, and others.
#include "unit/registry/membership/three_nodes.hpp"

namespace busbar::registry::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace busbar::registry::testing
