// Host names are looked up while nobody waits for it.
#include <busbar/registry/net/resolver.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>

#include "support/eventually.hpp"

namespace busbar::registry::net {
namespace {

using busbar::testing::eventually;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Waits until the answer is there, as who is rung does.
Resolved wait_for(Resolver& resolver, const std::string& address) {
  std::optional<Resolved> found;
  eventually([&] { return (found = resolver.ask(address)).has_value(); });
  return found.value_or(Resolved{{}, "no answer"});
}

TEST(Resolvers, TellWhatANameStandsForWithThePortThatWasAskedFor) {
  std::atomic<int> rung{0};
  Resolver resolver(
      [](const std::string& name) {
        return Hosts{{"10.0.0.1", "fd00::1"}, name == "x.test" ? "" : "?"};
      },
      [&] { ++rung; });
  EXPECT_EQ(resolver.ask("tcp://x.test:4711"), std::nullopt);
  ASSERT_TRUE(eventually([&] { return rung == 1; }));
  const auto found = resolver.ask("tcp://x.test:4711");
  ASSERT_TRUE(found);
  EXPECT_THAT(found->addresses, ElementsAre("tcp://10.0.0.1:4711", "tcp://[fd00::1]:4711"));
  EXPECT_EQ(found->error, "");
  EXPECT_EQ(resolver.ask("tcp://x.test:4711"), std::nullopt) << "it is looked up again";
}

TEST(Resolvers, TellWhyThereIsNothing) {
  Resolver refused([](const std::string&) { return Hosts{{}, "no such name"}; }, [] {});
  EXPECT_EQ(wait_for(refused, "tcp://x.test:1").error, "no such name");
  Resolver thrown([](const std::string&) -> Hosts { throw std::runtime_error("out of order"); }, [] {});
  EXPECT_EQ(wait_for(thrown, "tcp://x.test:1").error, "out of order");
}

TEST(Resolvers, LookUpTheNamesOfThisMachine) {
  EXPECT_THAT(look_up("localhost").hosts, ::testing::Contains(::testing::AnyOf("127.0.0.1", "::1")));
  EXPECT_THAT(look_up("127.0.0.1").hosts, ElementsAre("127.0.0.1"));
  const Hosts nobody = look_up("no..name");
  EXPECT_THAT(nobody.hosts, IsEmpty());
  EXPECT_NE(nobody.error, "");
}

TEST(Resolvers, ALookUpThatHangsKeepsUpNeitherOthersNorTheEnd) {
  const auto released = std::make_shared<std::latch>(1);
  const auto hung = std::make_shared<std::atomic<int>>(0);
  std::atomic<int> rung{0};
  {
    Resolver resolver(
        [=](const std::string& name) {
          if (name != "hangs.test") return Hosts{{"10.0.0.1"}, ""};
          released->wait();
          ++*hung;
          return Hosts{{"10.0.0.2"}, ""};
        },
        [&] { ++rung; });
    EXPECT_EQ(resolver.ask("tcp://hangs.test:1"), std::nullopt);
    EXPECT_THAT(wait_for(resolver, "tcp://quick.test:1").addresses, ElementsAre("tcp://10.0.0.1:1"));
    EXPECT_EQ(resolver.ask("tcp://hangs.test:1"), std::nullopt);
  }
  const int before = rung;
  released->count_down();
  ASSERT_TRUE(eventually([&] { return *hung == 1; })) << "it was looked up once, however often it was asked for";
  EXPECT_EQ(rung, before) << "nobody is told any more";
}

TEST(Resolvers, ManyNamesTakeFewThreads) {
  const auto released = std::make_shared<std::latch>(1);
  const auto running = std::make_shared<std::atomic<int>>(0);
  Resolver resolver(
      [=](const std::string&) {
        ++*running;
        released->wait();
        return Hosts{{"10.0.0.1"}, ""};
      },
      [] {});
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(resolver.ask("tcp://n" + std::to_string(i) + ".test:1"), std::nullopt);
  ASSERT_TRUE(eventually([&] { return *running == 4; }));
  const auto refused = resolver.ask("tcp://one-more.test:1");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error, "too many names are being looked up");
  EXPECT_EQ(*running, 4);
  released->count_down();
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(wait_for(resolver, "tcp://n" + std::to_string(i) + ".test:1").error, "") << i;
  }
}

}  // namespace
}  // namespace busbar::registry::net
