// Nodes that have keys: who says another name than its key has is not taken for that one. And with or without: nobody
// has two names at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "membership/membership.hpp"
#include "unit/registry/membership/three_nodes.hpp"

namespace busbar::registry::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr CallerId kCaller{1};

MembershipOptions options() {
  MembershipOptions options;
  options.node = "a";
  options.incarnation = 1;
  options.registry_address = "tcp://a:1";
  options.call_address = "tcp://a:2";
  options.seeds = {"tcp://seed:1"};
  return options;
}

/// The first of its kind among the actions, or null.
template <class Kind>
const Kind* first(const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* found = std::get_if<Kind>(&action)) return found;
  }
  return nullptr;
}

class ProvenNames : public ::testing::Test {
 protected:
  ProvenNames() : machine(options(), {}) { link = first<Connect>(machine.start(now))->link; }
  Actions hello(const std::string& name, const std::string& proven) {
    return machine.from_caller(now, kCaller, wire::Hello{.cluster = "busbar", .record = record_of(name)}, proven);
  }
  Actions welcome(const std::string& name, const std::string& proven) {
    machine.link_up(now, link, proven);
    return machine.from_link(now, link, wire::Welcome{.record = record_of(name), .peers = {}});
  }
  Time now{};
  Membership machine;
  LinkId link{};
};

TEST_F(ProvenNames, AHelloUnderItsOwnNameIsAccepted) {
  EXPECT_NE(first<NodeJoined>(hello("b", "b")), nullptr);
  ASSERT_NE(machine.name_of(kCaller), nullptr);
  EXPECT_EQ(*machine.name_of(kCaller), "b");
}

// A key has followed another: who is there is told anew who this is, and stays a member meanwhile.
TEST_F(ProvenNames, ANewConnectionOfALinkIsGreetedAndNobodyIsLost) {
  welcome("seed", "seed");
  const Actions renewed = machine.link_renewed(now, link, "seed");
  const auto* sent = first<SendToLink>(renewed);
  ASSERT_NE(sent, nullptr);
  EXPECT_EQ(sent->link, link);
  EXPECT_TRUE(std::holds_alternative<wire::Hello>(*sent->message));
  EXPECT_EQ(first<NodeLeft>(renewed), nullptr);
  EXPECT_EQ(machine.rows().size(), 1U);
  const Actions welcomed = machine.from_link(now, link, wire::Welcome{.record = record_of("seed"), .peers = {}});
  EXPECT_EQ(first<NodeJoined>(welcomed), nullptr);
  EXPECT_EQ(first<Close>(welcomed), nullptr);
  EXPECT_EQ(first<SendToLink>(machine.link_renewed(now, LinkId{99}, "seed")), nullptr) << "there is no such link";
}

TEST_F(ProvenNames, WhoIsAnotherOnTheNewConnectionIsNotTaken) {
  welcome("seed", "seed");
  machine.link_renewed(now, link, "b");
  const Actions actions = machine.from_link(now, link, wire::Welcome{.record = record_of("seed"), .peers = {}});
  EXPECT_NE(first<Close>(actions), nullptr);
}

TEST_F(ProvenNames, AHelloUnderAnothersIsRefusedInWords) {
  const Actions actions = hello("c", "b");
  EXPECT_EQ(first<NodeJoined>(actions), nullptr);
  const auto* sent = first<SendToCaller>(actions);
  ASSERT_NE(sent, nullptr);
  const auto& refused = std::get<wire::Refused>(*sent->message);
  EXPECT_EQ(refused.code, "other_key");
  EXPECT_THAT(refused.text, HasSubstr("calls itself c, and its key is that of b"));
  EXPECT_THAT(first<Warn>(actions)->text, HasSubstr("refused a node at tcp://c:1"));
  EXPECT_EQ(machine.name_of(kCaller), nullptr);
  EXPECT_TRUE(machine.rows().empty());
}

// Also where it had said hello before, under its own.
TEST_F(ProvenNames, NobodyBecomesAnotherLater) {
  hello("b", "b");
  EXPECT_EQ(first<NodeJoined>(hello("c", "b")), nullptr);
  EXPECT_EQ(machine.rows().size(), 1U);
}

TEST_F(ProvenNames, AWelcomeOfAnotherThanTheKeySaysIsNone) {
  const Actions actions = welcome("c", "b");
  EXPECT_EQ(first<NodeJoined>(actions), nullptr);
  EXPECT_NE(first<Close>(actions), nullptr);
  EXPECT_THAT(first<Warn>(actions)->text, HasSubstr("its key is that of b"));
}

TEST_F(ProvenNames, AWelcomeOfWhomTheKeySaysIsTaken) { EXPECT_NE(first<NodeJoined>(welcome("b", "b")), nullptr); }

// So that the keys of that node are tried there first.
TEST_F(ProvenNames, WhoIsSaidToBeAtAnAddressIsExpectedThere) {
  hello("b", "b");
  const Actions told = machine.from_caller(now, kCaller, wire::Peers{{{"c", 1, "tcp://c:1"}}}, "b");
  const Actions dialled = machine.tick(now);
  for (const Actions& actions : {told, dialled}) {
    for (const Action& action : actions) {
      const auto* connect = std::get_if<Connect>(&action);
      if (connect != nullptr && connect->address == "tcp://c:1") {
        EXPECT_EQ(connect->node, "c");
        return;
      }
    }
  }
  ADD_FAILURE() << "nobody was dialled";
}

// It says a second name while it is looked at whether the holder of the first one is alive.
TEST(OneLink, IsOfOneNodeAlone) {
  MembershipOptions two_seeds = options();
  two_seeds.seeds.push_back("tcp://other:1");
  Membership machine(two_seeds, {});
  Time now{};
  std::vector<LinkId> links;
  for (const Action& action : machine.start(now)) {
    if (const auto* connect = std::get_if<Connect>(&action)) links.push_back(connect->link);
  }
  ASSERT_EQ(links.size(), 2U);
  const auto welcome = [&](LinkId link, const NodeRecord& record) {
    return machine.from_link(now, link, wire::Welcome{.record = record, .peers = {}});
  };
  for (const LinkId link : links) machine.link_up(now, link);
  ASSERT_NE(first<NodeJoined>(welcome(links[0], record_of("b"))), nullptr);
  NodeRecord elsewhere = record_of("b");
  elsewhere.incarnation = 2;
  elsewhere.registry_address = "tcp://other:1";
  EXPECT_EQ(first<NodeJoined>(welcome(links[1], elsewhere)), nullptr) << "the holder is asked first";
  ASSERT_NE(first<NodeJoined>(welcome(links[1], record_of("c"))), nullptr);

  const Actions holder_gone = machine.link_down(now, links[0], "down");
  EXPECT_EQ(first<NodeLeft>(holder_gone)->name, "b");
  EXPECT_EQ(first<NodeJoined>(holder_gone), nullptr) << "that link is c's";
  const Actions other_gone = machine.link_down(now, links[1], "down");
  ASSERT_NE(first<NodeLeft>(other_gone), nullptr);
  EXPECT_EQ(first<NodeLeft>(other_gone)->name, "c");
  now += 2 * two_seeds.lost_after;
  machine.tick(now);
  EXPECT_TRUE(machine.rows().empty());
}

}  // namespace
}  // namespace busbar::registry::testing
