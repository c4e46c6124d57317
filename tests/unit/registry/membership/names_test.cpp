// Who has a name: restarts, second nodes of one name, incarnations.
#include "unit/registry/membership/three_nodes.hpp"

namespace busbar::registry::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace busbar::registry::testing
