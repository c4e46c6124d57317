// How one of several remote providers is picked (C-D3).
#include "dispatch/strategy.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace busbar::host {
namespace {

class StillPeer final : public Peer {
 public:
  explicit StillPeer(std::string name) : Peer(std::move(name), 1) {}
  Sent post(std::span<const std::uint8_t>, bool) noexcept override { return Sent::kDown; }
  void ended() noexcept override {}
  Sent send(std::span<const std::uint8_t>, Seat&) noexcept override { return Sent::kDown; }
  void wait(Seat&, Nanos) noexcept override {}
  void ring() noexcept override {}
};

class Strategies : public ::testing::Test {
 protected:
  Strategies() {
    for (std::size_t i = 0; i < kNodes; ++i) come("node-" + std::to_string(i));
  }
  void come(const std::string& name) {
    peers.push_back(std::make_shared<StillPeer>(name));
    providers.push_back({peers.back(), nullptr, &service_});
  }
  std::string picked(const Choice& choice) const {
    const auto* provider =
        pick(providers, choice, [&](const registry::RemoteNode& node) { return node.name() != gone; });
    return provider == nullptr ? "" : provider->node->name();
  }
  std::string home_of(std::string_view key) const { return picked({Strategy::sticky, hash_of(key)}); }
  std::map<std::string, int> spread(const Choice& choice, int times) const {
    std::map<std::string, int> calls;
    for (int i = 0; i < times; ++i) ++calls[picked(choice)];
    return calls;
  }

  static constexpr std::size_t kNodes = 5;
  std::vector<std::shared_ptr<Peer>> peers;
  std::vector<registry::RemoteProvider> providers;
  std::string gone;

 private:
  registry::RemoteService service_{"s", "p"};
};

TEST_F(Strategies, C_D3_RandomSharesTheCallsOut) {
  for (const Choice& choice : {Choice{}, Choice{Strategy::random, {}}, Choice{Strategy::sticky, {}}}) {
    const auto calls = spread(choice, 5'000);
    ASSERT_EQ(calls.size(), kNodes);
    for (const auto& [node, count] : calls) EXPECT_NEAR(count, 1'000, 200) << node;  // seven standard deviations
  }
}

TEST_F(Strategies, C_D3_WhereNobodyMayThereIsNone) {
  const auto nobody = [](const registry::RemoteNode&) { return false; };
  for (const Strategy strategy : {Strategy::standard, Strategy::random, Strategy::least_pending, Strategy::sticky}) {
    EXPECT_EQ(pick(providers, {strategy, 7}, nobody), nullptr);
    EXPECT_EQ(pick({}, {strategy, 7}, nobody), nullptr);
  }
}

TEST_F(Strategies, C_D3_LeastPendingTakesWhoHasTheFewest) {
  const Choice least{Strategy::least_pending, {}};
  for (const std::size_t busy : {0, 1, 2, 4}) peers[busy]->pending_begins();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(picked(least), "node-3");
  gone = "node-3";
  EXPECT_EQ(spread(least, 500).size(), 4u) << "of those that are left";
  gone.clear();
  peers[3]->pending_begins();
  peers[3]->pending_begins();
  for (int i = 0; i < 50; ++i) EXPECT_NE(picked(least), "node-3");
}

TEST_F(Strategies, C_D3_LeastPendingPicksOneOfEqualsAtRandom) {
  const Choice least{Strategy::least_pending, {}};
  for (const auto& [node, count] : spread(least, 5'000)) EXPECT_NEAR(count, 1'000, 200) << node;
  for (const std::size_t busy : {2, 3, 4}) peers[busy]->pending_begins();
  const auto calls = spread(least, 1'000);
  EXPECT_EQ(calls.size(), 2u);
  // Neighbours, and each as likely: nobody is favoured for standing behind many that are not taken.
  for (const auto& [node, count] : calls) EXPECT_NEAR(count, 500, 110) << node;  // seven standard deviations
}

TEST_F(Strategies, C_D3_StickySharesTheKeysOut) {
  std::map<std::string, int> keys;
  for (int i = 0; i < 10'000; ++i) ++keys[home_of("town " + std::to_string(i))];
  ASSERT_EQ(keys.size(), kNodes);
  for (const auto& [node, count] : keys) EXPECT_NEAR(count, 2'000, 200) << node;
}

TEST_F(Strategies, C_D3_OfANodeThatLeavesTheKeysMoveAndNoOthers) {
  std::map<std::string, std::string> homes;
  for (int i = 0; i < 10'000; ++i) homes["town " + std::to_string(i)] = home_of("town " + std::to_string(i));
  gone = "node-2";
  std::map<std::string, int> moved;
  for (const auto& [town, home] : homes) {
    const std::string now = home_of(town);
    if (home == gone) {
      ++moved[now];
    } else {
      ASSERT_EQ(now, home) << town;
    }
  }
  EXPECT_EQ(moved.size(), kNodes - 1) << "all others take their share";
  for (const auto& [node, count] : moved) EXPECT_NEAR(count, 500, 100) << node;
  gone.clear();
  for (const auto& [town, home] : homes) ASSERT_EQ(home_of(town), home) << "and are back with it";
}

TEST_F(Strategies, C_D3_ANodeThatComesTakesItsShareAndNoOtherKeyMoves) {
  std::map<std::string, std::string> homes;
  for (int i = 0; i < 12'000; ++i) homes["town " + std::to_string(i)] = home_of("town " + std::to_string(i));
  come("node-5");
  int moved = 0;
  for (const auto& [town, home] : homes) {
    const std::string now = home_of(town);
    if (now == home) continue;
    ASSERT_EQ(now, "node-5") << town;
    ++moved;
  }
  EXPECT_NEAR(moved, 2'000, 250) << "one in six";
}

TEST_F(Strategies, C_D3_TheOrderOfTheProvidersDoesNotMatter) {
  std::map<std::string, std::string> homes;
  for (int i = 0; i < 100; ++i) homes["key " + std::to_string(i)] = home_of("key " + std::to_string(i));
  std::reverse(providers.begin(), providers.end());
  for (const auto& [key, home] : homes) EXPECT_EQ(home_of(key), home);
}

// Nodes of other builds, versions and languages must agree: docs/protocol.md, section 13, has these numbers.
TEST(Affinity, C_D3_IsTheSameEverywhere) {
  EXPECT_EQ(affinity(hash_of("Graz"), "n1"), 0xa75ffe6db03a4e15u);
  EXPECT_EQ(affinity(hash_of("Graz"), "n2"), 0xf61c6bb021751c19u);
  EXPECT_EQ(affinity(hash_of("Graz"), "n3"), 0x2a350b8e895d4105u);
  EXPECT_EQ(affinity(hash_of(""), "n1"), 0x31809baf3cb4f381u);
  EXPECT_EQ(affinity(hash_of("\xc3\xa9"), "n1"), 0xed18e102701a5790u) << "bytes above 127";
  EXPECT_EQ(affinity(hash_of("\x07"), "n1"), 0xef90bc75ea2d5e5eu);
}

TEST(Affinity, TellsTheKeyFromTheNode) { EXPECT_NE(affinity(hash_of("a"), "bc"), affinity(hash_of("ab"), "c")); }

class KeyInARequest : public ::testing::Test {
 protected:
  static std::optional<std::uint64_t> key(const nlohmann::json& request) {
    return key_in(Message("s", Payload::from_json(request)), "town");
  }
};

TEST_F(KeyInARequest, C_D3_IsATextsCharacters) {
  EXPECT_EQ(key({{"town", "Graz"}, {"day", 1}}), hash_of("Graz")) << "as a caller names it";
  EXPECT_EQ(key({{"town", ""}}), hash_of(""));
  EXPECT_EQ(key({{"town", std::string(70'000, 'x')}}), hash_of(std::string(70'000, 'x')));
}

TEST_F(KeyInARequest, C_D3_IsTheBytesOfAnythingElse) {
  EXPECT_EQ(key({{"town", 7}}), hash_of("\x07"));
  EXPECT_EQ(key({{"town", -1}}), hash_of("\x20"));
  EXPECT_EQ(key({{"town", true}}), hash_of("\xf5"));
  EXPECT_EQ(key({{"town", {1, "x"}}}), hash_of("\x82\x01\x61x"));
  EXPECT_NE(key({{"town", 7}}), key({{"town", 8}}));
}

TEST_F(KeyInARequest, C_D3_IsNoneWhereTheFieldIsAbsentOrNull) {
  EXPECT_FALSE(key({{"city", "Graz"}}));
  EXPECT_FALSE(key({{"town", nullptr}}));
  EXPECT_FALSE(key(nlohmann::json::object()));
  EXPECT_FALSE(key_in(Message("s"), "town"));
  EXPECT_FALSE(key_in(Message("s", Payload::from_json({{"", "Graz"}})), "")) << "a service that names no field";
}

TEST_F(KeyInARequest, C_D3_IsNoneInWhatIsNoRequest) {
  EXPECT_FALSE(key(5));
  EXPECT_FALSE(key({"town", "Graz"}));
  const std::vector<std::vector<std::uint8_t>> broken = {
      {0xff, 0x13}, {0xa1, 0x64, 't', 'o', 'w', 'n'}, {0xa1, 0x64, 't', 'o', 'w', 'n', 0x7a, 0xff, 0xff, 0xff, 0xff}};
  for (const auto& bytes : broken) EXPECT_FALSE(key_in(Message("s", Payload::copy(bytes)), "town"));
}

TEST(StrategyNumbers, OfALaterMinorVersionAreStandard) {
  EXPECT_EQ(strategy_of(std::uint32_t{BUSBAR_STRATEGY_STICKY}), Strategy::sticky);
  EXPECT_EQ(strategy_of(4u), Strategy::standard);
  EXPECT_EQ(strategy_of(0xffffffffu), Strategy::standard);
}

}  // namespace
}  // namespace busbar::host
