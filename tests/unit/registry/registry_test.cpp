// What is registered, and what lookups see of it.
#include <busbar/registry/registry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "support/eventually.hpp"

namespace busbar::registry {
namespace {

using ::testing::ElementsAre;
using testing::eventually;
using ::testing::IsEmpty;

using Services = std::vector<std::shared_ptr<LocalProvider>>;

Services services_of(const std::string& router, const std::vector<std::string>& names,
                     Visibility visibility = Visibility::public_) {
  Services out;
  for (const auto& name : names) out.push_back(std::make_shared<LocalProvider>(name, router, visibility));
  return out;
}

/// The router that provides a service, or nothing.
std::string provider_of(const Registry& registry, std::string_view service) {
  return registry.lookup(
      service, [](const ServiceEntry* entry) { return entry == nullptr ? std::string() : entry->local->router(); });
}

std::vector<std::string> names(const Registry& registry, Listing which) {
  std::vector<std::string> out;
  for (const auto& service : registry.list(which)) out.push_back(service->service());
  return out;
}

TEST(Registry, FindsNothingBeforeAnythingIsRegistered) {
  const Registry registry;
  EXPECT_EQ(provider_of(registry, "a"), "");
  EXPECT_THAT(names(registry, Listing::all), IsEmpty());
  EXPECT_EQ(registry.facts().services, 0u);
}

TEST(Registry, C_G5_TheCallerThatRegisteredFindsItInItsNextLookup200Of200) {
  Registry registry;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "service_" + std::to_string(i), router = "router_" + std::to_string(i);
    ASSERT_FALSE(registry.register_router(router, services_of(router, {name})));
    ASSERT_EQ(provider_of(registry, name), router) << i;
  }
  EXPECT_EQ(registry.facts().services, 200u);
}

TEST(Registry, C_G3_RegisteringTheSameAgainIsNoConflictAndChangesNothing) {
  Registry registry;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(registry.register_router("p", services_of("p", {"a", "b"})));
    EXPECT_THAT(names(registry, Listing::all), ElementsAre("a", "b"));
    EXPECT_EQ(provider_of(registry, "a"), "p");
  }
}

TEST(Registry, ReplacesARoutersServicesWhole) {
  Registry registry;
  registry.register_router("p", services_of("p", {"a", "b"}));
  registry.register_router("p", services_of("p", {"b", "c"}));
  EXPECT_EQ(provider_of(registry, "a"), "");
  EXPECT_EQ(provider_of(registry, "b"), "p");
  EXPECT_EQ(provider_of(registry, "c"), "p");
}

TEST(Registry, AConflictNamesTheHolderAndChangesNothing) {
  Registry registry;
  registry.register_router("first", services_of("first", {"a", "b"}));
  registry.register_router("second", services_of("second", {"old"}));
  const auto before = registry.facts().version;
  const auto conflict = registry.register_router("second", services_of("second", {"new", "b"}));
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->service, "b");
  EXPECT_EQ(conflict->held_by, "first");
  EXPECT_EQ(provider_of(registry, "b"), "first");
  EXPECT_EQ(provider_of(registry, "new"), "");
  EXPECT_EQ(provider_of(registry, "old"), "second");
  EXPECT_EQ(registry.facts().version, before);
}

TEST(Registry, C_R7_ListsPublicPrivateAndAllInOrder) {
  Registry registry;
  registry.register_router("p", services_of("p", {"d", "b"}));
  registry.register_router("q", services_of("q", {"c", "a"}, Visibility::private_));
  EXPECT_THAT(names(registry, Listing::public_), ElementsAre("b", "d"));
  EXPECT_THAT(names(registry, Listing::private_), ElementsAre("a", "c"));
  EXPECT_THAT(names(registry, Listing::all), ElementsAre("a", "b", "c", "d"));
}

TEST(Registry, WithdrawsARoutersServicesAndNoOthers) {
  Registry registry;
  registry.register_router("p", services_of("p", {"a"}));
  registry.register_router("q", services_of("q", {"b"}));
  registry.withdraw_router("p");
  registry.withdraw_router("nobody");
  EXPECT_EQ(provider_of(registry, "a"), "");
  EXPECT_EQ(provider_of(registry, "b"), "q");
  EXPECT_FALSE(registry.register_router("q", services_of("q", {"a", "b"}))) << "the name is free again";
}

TEST(Registry, FindsTenThousandServicesOfAHundredRouters) {
  Registry registry;
  for (int r = 0; r < 100; ++r) {
    const std::string router = "router_" + std::to_string(r);
    std::vector<std::string> mine;
    for (int s = 0; s < 100; ++s) mine.push_back("service_" + std::to_string(r * 100 + s));
    ASSERT_FALSE(registry.register_router(router, services_of(router, mine)));
  }
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(provider_of(registry, "service_" + std::to_string(i)), "router_" + std::to_string(i / 100));
  }
  EXPECT_EQ(registry.facts().services, 10'000u);
}

TEST(Registry, TellsHowOldItsTableIs) {
  Registry registry;
  registry.register_router("p", services_of("p", {"a"}));
  EXPECT_GE(registry.facts().age.count(), 0);
  EXPECT_TRUE(eventually([&] { return registry.facts().age.count() > 0; }));
  EXPECT_EQ(registry.facts().version, 1u);
}

TEST(Registry, ListsEveryEntryInTheOrderOfNames) {
  Registry registry;
  registry.register_router("r", services_of("r", {"b", "a"}));
  const auto entries = registry.known_services();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[1].local->service(), "b");
}

TEST(Registry, WhoWaitsForAServiceIsWokenByItsPublication) {
  Registry registry;
  std::atomic<int> asked{0};
  std::thread writer([&] {
    EXPECT_TRUE(eventually([&] { return asked >= 1; }));
    registry.register_router("other", services_of("other", {"b"}));  // wakes it, and is not what it waits for
    EXPECT_TRUE(eventually([&] { return asked >= 2; }));
    registry.register_router("r", services_of("r", {"a"}));
  });
  const bool found = registry.wait_until(std::chrono::steady_clock::now() + testing::kFarAway, [&] {
    ++asked;
    return provider_of(registry, "a") == "r";
  });
  writer.join();
  EXPECT_TRUE(found);
  EXPECT_LE(asked, 3) << "it is asked after publications alone";
}

TEST(Registry, WhoWaitsInVainIsToldSoAndAskedOnce) {
  Registry registry;
  int asked = 0;
  EXPECT_FALSE(registry.wait_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(20), [&] {
    ++asked;
    return false;
  }));
  EXPECT_EQ(asked, 1);
}

TEST(Registry, LetsGoOfWhatWasWithdrawn) {
  Registry registry;
  auto services = services_of("p", {"a"});
  const std::weak_ptr<LocalProvider> watched = services.front();
  registry.register_router("p", std::move(services));
  EXPECT_FALSE(watched.expired());
  registry.withdraw_router("p");
  EXPECT_TRUE(watched.expired());
}

// A reader that stays inside its lookup, which it must not; so a writer is stalled for as long as the test wants.
class StalledReader {
 public:
  StalledReader(const Registry& registry, std::string service)
      : thread_([this, &registry, service = std::move(service)] {
          registry.lookup(service, [this](const ServiceEntry* entry) {
            seen_ = entry == nullptr ? "" : entry->local->router();
            inside_.count_down();
            leave_.wait();
            if (entry != nullptr) still_ = entry->local->router();
          });
        }) {
    inside_.wait();
  }
  ~StalledReader() {
    if (thread_.joinable()) leave();
  }
  void leave() {
    leave_.count_down();
    thread_.join();
    EXPECT_EQ(still_, seen_) << "what it had found went away while it looked";
  }

 private:
  std::latch inside_{1}, leave_{1};
  std::string seen_, still_;
  std::thread thread_;
};

TEST(Registry, C_G5_ALookupDoesNotWaitForAWriterThatIsStalledAndHoldsTheLock) {
  Registry registry;
  registry.register_router("p", services_of("p", {"a"}));
  StalledReader reader(registry, "a");
  std::atomic<bool> registered{false};
  std::thread writer([&] {
    registry.register_router("q", services_of("q", {"b"}));
    registered = true;
  });
  // The writer has published and now waits for the reader, with the registry's lock held: nobody could get in between.
  ASSERT_TRUE(eventually([&] { return provider_of(registry, "b") == "q"; }));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(provider_of(registry, "a"), "p");
    ASSERT_EQ(provider_of(registry, "b"), "q");
    ASSERT_EQ(provider_of(registry, "c"), "");
  }
  EXPECT_FALSE(registered) << "a reader is inside: its snapshot cannot have been given up";
  reader.leave();
  writer.join();
  EXPECT_TRUE(registered);
}

TEST(Registry, ASnapshotIsGivenUpOnlyAfterItsReadersHaveLeft) {
  Registry registry;
  auto services = services_of("p", {"a"});
  const std::weak_ptr<LocalProvider> watched = services.front();
  registry.register_router("p", std::move(services));
  StalledReader reader(registry, "a");
  std::thread writer([&] { registry.withdraw_router("p"); });
  ASSERT_TRUE(eventually([&] { return provider_of(registry, "a").empty(); }));
  EXPECT_FALSE(watched.expired());
  reader.leave();  // it looks at what it found once more
  writer.join();
  EXPECT_TRUE(watched.expired()) << "on return nobody uses it any more";
}

TEST(Registry, ReadersSeeARoutersServicesWholeWhileWritersReplaceThem) {
  Registry registry;
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> lookups{0};
  registry.register_router("swap", services_of("swap", {"always", "left"}));
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!over) {
        EXPECT_EQ(provider_of(registry, "always"), "swap") << "a replacement left a gap";
        const std::string left = provider_of(registry, "left"), right = provider_of(registry, "right");
        EXPECT_TRUE(left.empty() || left == "swap");
        EXPECT_TRUE(right.empty() || right == "swap");
        ++lookups;
      }
    });
  }
  threads.emplace_back([&] {
    while (!over) static_cast<void>(registry.list(Listing::all)), static_cast<void>(registry.facts());
  });
  std::vector<std::thread> writers;
  writers.emplace_back([&] {
    for (int i = 0; i < 300; ++i) {
      EXPECT_FALSE(registry.register_router("swap", services_of("swap", {"always", i % 2 == 0 ? "right" : "left"})));
    }
  });
  writers.emplace_back([&] {
    for (int i = 0; i < 300; ++i) {
      const std::string name = "other_" + std::to_string(i % 7);
      EXPECT_FALSE(registry.register_router("other", services_of("other", {name})));
      EXPECT_EQ(provider_of(registry, name), "other") << "C-G5";
      registry.withdraw_router("other");
      EXPECT_EQ(provider_of(registry, name), "");
    }
  });
  for (auto& writer : writers) writer.join();
  EXPECT_TRUE(eventually([&] { return lookups > 0; }));
  over = true;
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace busbar::registry
