// What lookups see of other nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <busbar/registry/registry.hpp>

#include "support/eventually.hpp"

namespace busbar::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TestNode final : public RemoteNode {
 public:
  TestNode(std::string name, std::uint64_t incarnation, bool is_routable) : RemoteNode(std::move(name), incarnation) {
    set_routable(is_routable);
  }
  using RemoteNode::set_routable;
};

std::shared_ptr<TestNode> node(const std::string& name, std::uint64_t incarnation = 1, bool routable = true) {
  return std::make_shared<TestNode>(name, incarnation, routable);
}

std::vector<RemoteService> offers(const std::vector<std::string>& names) {
  std::vector<RemoteService> out;
  for (const auto& name : names) out.push_back({name, "router of " + name});
  return out;
}

std::shared_ptr<LocalProvider> local(const std::string& service, Visibility visibility = Visibility::public_,
                                     ServiceFacts facts = {}) {
  return std::make_shared<LocalProvider>(service, "here", visibility, facts);
}

// "local" and the names of the nodes that provide it, in the entry's order.
std::vector<std::string> providers(const Registry& registry, std::string_view service) {
  return registry.lookup(service, [](const ServiceEntry* entry) {
    std::vector<std::string> out;
    if (entry == nullptr) return out;
    if (entry->local != nullptr) out.emplace_back("local");
    for (const auto& remote : entry->remote) out.push_back(remote.node->name());
    return out;
  });
}

TEST(Nodes, AreFoundByTheServicesOfTheirRecord) {
  Registry registry;
  registry.put_node(node("b"), {{"greet", "greeter", true, true, false, 700}});
  registry.lookup("greet", [](const ServiceEntry* entry) {
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->local, nullptr);
    ASSERT_EQ(entry->remote.size(), 1U);
    EXPECT_EQ(entry->remote[0].node->name(), "b");
    EXPECT_EQ(*entry->remote[0].service, (RemoteService{"greet", "greeter", true, true, false, 700}));
  });
}

TEST(Nodes, C_G2_ARecordReplacesTheOneBeforeWhole) {
  Registry registry;
  const auto b = node("b");
  registry.put_node(b, offers({"left", "kept"}));
  registry.put_node(b, offers({"kept", "new"}));
  EXPECT_THAT(providers(registry, "left"), IsEmpty());
  EXPECT_THAT(providers(registry, "kept"), ElementsAre("b"));
  EXPECT_THAT(providers(registry, "new"), ElementsAre("b"));
  EXPECT_EQ(registry.facts().services, 2U);
}

TEST(Nodes, AreReachedInAnotherWayWithTheSameServices) {
  Registry registry;
  const auto before = node("b"), now = node("b"), other = node("b");
  registry.put_node(before, offers({"greet"}));
  EXPECT_FALSE(registry.replace_node(other, now)) << "it is not that one";
  EXPECT_EQ(registry.find_node("b"), before);
  EXPECT_TRUE(registry.replace_node(before, now));
  EXPECT_EQ(registry.find_node("b"), now);
  registry.lookup("greet", [&](const ServiceEntry* entry) {
    ASSERT_NE(entry, nullptr);
    ASSERT_EQ(entry->remote.size(), 1U);
    EXPECT_EQ(entry->remote[0].node, now);
  });
  registry.remove_node(before);
  EXPECT_THAT(providers(registry, "greet"), ElementsAre("b"));
  registry.remove_node(now);
  EXPECT_FALSE(registry.replace_node(now, before)) << "it has gone";
}

TEST(Nodes, C_G2_ALaterIncarnationReplacesTheOneBefore) {
  Registry registry;
  auto first = node("b", 1);
  const auto second = node("b", 2);
  registry.put_node(first, offers({"a"}));
  registry.put_node(second, offers({"a"}));
  EXPECT_THAT(providers(registry, "a"), ElementsAre("b"));
  EXPECT_EQ(registry.find_node("b"), second);
  EXPECT_EQ(registry.facts().nodes, 1U);
  const std::weak_ptr<TestNode> watched = first;
  first.reset();
  EXPECT_TRUE(watched.expired()) << "something still holds the first";
}

TEST(Nodes, TakingAwayTheFirstIncarnationLeavesTheSecond) {
  Registry registry;
  const auto first = node("b", 1), second = node("b", 2);
  registry.put_node(first, offers({"a"}));
  registry.put_node(second, offers({"a"}));
  registry.remove_node(first);
  EXPECT_THAT(providers(registry, "a"), ElementsAre("b"));
  registry.remove_node(second);
  EXPECT_THAT(providers(registry, "a"), IsEmpty());
  EXPECT_EQ(registry.find_node("b"), nullptr);
}

TEST(Nodes, C_G6_AServiceIsGoneWithItsLastProvider) {
  Registry registry;
  const auto b = node("b"), c = node("c");
  registry.register_router("p", {local("a")});
  registry.put_node(c, offers({"a"}));
  registry.put_node(b, offers({"a"}));
  EXPECT_THAT(providers(registry, "a"), ElementsAre("local", "b", "c"));
  registry.remove_node(b);
  EXPECT_THAT(providers(registry, "a"), ElementsAre("local", "c"));
  registry.withdraw_router("p");
  EXPECT_THAT(providers(registry, "a"), ElementsAre("c"));
  registry.remove_node(c);
  EXPECT_TRUE(registry.lookup("a", [](const ServiceEntry* entry) { return entry == nullptr; }));
  EXPECT_EQ(registry.facts().services, 0U);
  EXPECT_EQ(registry.facts().nodes, 0U);
}

TEST(Nodes, AreInTheTableOnlyWhileTheyAreRoutable) {
  Registry registry;
  const auto b = node("b", 1, false);
  registry.put_node(b, offers({"a"}));
  EXPECT_THAT(providers(registry, "a"), IsEmpty());
  EXPECT_EQ(registry.find_node("b"), b);
  EXPECT_EQ(registry.facts().nodes, 1U);
  b->set_routable(true);
  registry.refresh();
  EXPECT_THAT(providers(registry, "a"), ElementsAre("b"));
  b->set_routable(false);
  registry.refresh();
  EXPECT_THAT(providers(registry, "a"), IsEmpty());
}

TEST(Nodes, C_D12_APrivateServiceHereAndAPublicOneElsewhereAreInOneEntry) {
  Registry registry;
  registry.register_router("p", {local("a", Visibility::private_)});
  registry.put_node(node("b"), offers({"a"}));
  EXPECT_THAT(providers(registry, "a"), ElementsAre("local", "b"));
  EXPECT_EQ(registry.facts().services, 1U);
}

TEST(Nodes, AreNotAmongTheRegisteredServices) {
  Registry registry;
  registry.register_router("p", {local("a")});
  registry.put_node(node("b"), offers({"a", "elsewhere"}));
  for (const Listing which : {Listing::all, Listing::public_}) {
    const auto listed = registry.list(which);
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0]->service(), "a");
  }
  EXPECT_THAT(registry.list(Listing::private_), IsEmpty());
}

TEST(Nodes, ARecordThatNamesAServiceTwiceCountsItOnce) {
  Registry registry;
  registry.put_node(node("b"), {{"a", "first"}, {"z", "z"}, {"a", "second"}});
  EXPECT_THAT(providers(registry, "a"), ElementsAre("b"));
  EXPECT_EQ(registry.lookup("a", [](const ServiceEntry* entry) { return entry->remote[0].service->router; }), "first");
}

TEST(Nodes, AreLetGoWithoutTheLock) {
  class CallsBack final : public RemoteNode {
   public:
    explicit CallsBack(Registry& registry) : RemoteNode("b", 1), registry_(registry) { set_routable(true); }
    ~CallsBack() override { EXPECT_NE(registry_.find_node("b"), nullptr); }  // would wait for ever

   private:
    Registry& registry_;
  };
  Registry registry;
  registry.put_node(std::make_shared<CallsBack>(registry), offers({"a"}));
  registry.put_node(node("b", 2), offers({"a"}));  // nobody else holds the first
}

TEST(Nodes, C_R1_TheLocalRecordHasThePublicServicesInOrderWithTheirFacts) {
  Registry registry;
  registry.register_router("q", {local("z", Visibility::public_, {true, false, true, 250})});
  registry.register_router("p",
                           {local("hidden", Visibility::private_), local("a", Visibility::public_, {false, true})});
  registry.put_node(node("b"), offers({"elsewhere", "hidden"}));
  EXPECT_THAT(registry.local_record(), ElementsAre(RemoteService{"a", "here", false, true, false, 0},
                                                   RemoteService{"z", "here", true, false, true, 250}));
}

TEST(LocalChanges, AreToldAfterEachButNotWhenAnotherNodeChanges) {
  Registry registry;
  int told = 0;
  registry.on_local_change([&] {
    ++told;
    EXPECT_LE(registry.local_record().size(), 1U);  // nothing is held: this would wait for ever
  });
  registry.register_router("p", {local("a")});
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(registry.register_router("q", {local("a")})) << "a conflict";
  registry.withdraw_router("nobody");
  registry.put_node(node("b"), offers({"a"}));
  registry.refresh();
  EXPECT_EQ(told, 1);
  registry.withdraw_router("p");
  EXPECT_EQ(told, 2);
  registry.on_local_change({});
  registry.register_router("p", {local("a")});
  EXPECT_EQ(told, 2);
}

TEST(LocalChanges, NoneIsBeingToldWhenTheyEnd) {
  Registry registry;
  std::latch inside{1};
  std::atomic<bool> leave{false}, over{false}, ended{false};
  registry.on_local_change([&] {
    inside.count_down();
    while (!leave) std::this_thread::yield();
    over = true;
  });
  std::thread registrar([&] { registry.register_router("p", {local("a")}); });
  inside.wait();
  std::thread ender([&] {
    registry.on_local_change({});
    EXPECT_TRUE(over);
    ended = true;
  });
  for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
  EXPECT_FALSE(ended);
  leave = true;
  ender.join();
  registrar.join();
}

TEST(Nodes, C_G5_OwnRegistrationsAreFoundAtOnce200Of200WhileNodesChange) {
  Registry registry;
  std::atomic<bool> over{false};
  std::atomic<int> puts{0};
  std::thread other([&] {
    const auto b = node("b");
    for (int i = 0; !over; ++i) {
      registry.put_node(b, offers({"remote_" + std::to_string(i)}));
      if (i % 3 == 0) registry.remove_node(b);
      ++puts;
    }
  });
  ASSERT_TRUE(testing::eventually([&] { return puts > 0; }));
  for (int i = 0; i < 200; ++i) {
    const std::string name = "service_" + std::to_string(i);
    ASSERT_FALSE(registry.register_router(name, {local(name)}));
    ASSERT_THAT(providers(registry, name), ElementsAre("local")) << i;
  }
  over = true;
  other.join();
}

}  // namespace
}  // namespace busbar::registry
