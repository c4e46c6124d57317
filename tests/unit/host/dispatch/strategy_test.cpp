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
    for (std::size_t i = 0; i < kNodes; ++i) {
      peers.push_back(std::make_shared<StillPeer>("node-" + std::to_string(i)));
      providers.push_back({peers.back(), nullptr, &service_});
    }
  }
  void declare(Strategy strategy, const std::string& field = {}) {
    service_.strategy = strategy;
    service_.sticky_field = field;
  }
  std::string picked(const Message& message = Message("s"), const Preference& preference = {}) const {
    const auto* provider =
        pick(providers, preference, message, [&](const registry::RemoteNode& node) { return node.name() != gone; });
    return provider == nullptr ? "" : provider->node->name();
  }
  static Message about(const std::string& town) { return Message("s", Payload::from_json({{"town", town}})); }

  static constexpr std::size_t kNodes = 5;
  std::vector<std::shared_ptr<Peer>> peers;
  std::vector<registry::RemoteProvider> providers;
  std::string gone;

 private:
  registry::RemoteService service_{"s", "p"};
};

TEST_F(Strategies, C_D3_RandomSharesTheCallsOut) {
  std::map<std::string, int> calls;
  for (int i = 0; i < 5'000; ++i) ++calls[picked()];
  ASSERT_EQ(calls.size(), kNodes);
  for (const auto& [node, count] : calls) EXPECT_NEAR(count, 1'000, 200) << node;  // six standard deviations
}

TEST_F(Strategies, C_D3_WhereNobodyMayThereIsNone) {
  const auto nobody = [](const registry::RemoteNode&) { return false; };
  for (const Strategy strategy : {Strategy::random, Strategy::least_pending, Strategy::sticky}) {
    EXPECT_EQ(pick(providers, {strategy, "key"}, Message("s"), nobody), nullptr);
    EXPECT_EQ(pick({}, {strategy, "key"}, Message("s"), nobody), nullptr);
  }
}

TEST_F(Strategies, C_D3_LeastPendingTakesWhoHasTheFewest) {
  declare(Strategy::least_pending);
  std::vector<PeerInUse> calls;
  for (std::size_t i = 0; i < kNodes; ++i) {
    if (i == 3) continue;
    calls.emplace_back(peers[i]);
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(picked(), "node-3");
  calls.emplace_back(peers[3]);
  calls.emplace_back(peers[3]);
  for (int i = 0; i < 50; ++i) EXPECT_NE(picked(), "node-3");
  calls.clear();
  std::map<std::string, int> equals;
  for (int i = 0; i < 500; ++i) ++equals[picked()];
  EXPECT_EQ(equals.size(), kNodes) << "equals share the calls";
}

TEST_F(Strategies, C_D3_StickyKeepsAKeyWhereItIs) {
  declare(Strategy::sticky, "town");
  std::map<std::string, std::string> homes;
  std::map<std::string, int> keys;
  for (int i = 0; i < 1'000; ++i) {
    const std::string town = "town " + std::to_string(i);
    homes[town] = picked(about(town));
    ++keys[homes[town]];
  }
  for (const auto& [node, count] : keys) EXPECT_NEAR(count, 200, 80) << node;
  gone = "node-2";
  for (const auto& [town, home] : homes) {
    const std::string now = picked(about(town));
    if (home == gone) {
      EXPECT_NE(now, gone);
    } else {
      EXPECT_EQ(now, home) << "only the keys of who has left move";
    }
  }
  gone.clear();
  for (const auto& [town, home] : homes) EXPECT_EQ(picked(about(town)), home) << "and move back";
}

TEST_F(Strategies, C_D3_ACallersKeyIsTheFieldsText) {
  declare(Strategy::sticky, "town");
  for (int i = 0; i < 50; ++i) {
    const std::string town = "town " + std::to_string(i);
    EXPECT_EQ(picked(Message("s"), {Strategy::sticky, town}), picked(about(town)));
  }
}

TEST_F(Strategies, C_D3_KeysOfAnyTypeStick) {
  declare(Strategy::sticky, "town");
  for (const nlohmann::json& key : {nlohmann::json(7), nlohmann::json(true), nlohmann::json::array({1, "x"})}) {
    const Message message("s", Payload::from_json({{"town", key}}));
    const std::string home = picked(message);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(picked(message), home) << key;
  }
}

TEST_F(Strategies, C_D3_WithoutTheFieldStickyIsRandom) {
  declare(Strategy::sticky, "town");
  const std::uint8_t broken[] = {0xff, 0x13};
  for (const Message& message :
       {Message("s"), Message("s", Payload::from_json({{"city", "Oslo"}})), Message("s", Payload::copy(broken))}) {
    std::map<std::string, int> calls;
    for (int i = 0; i < 200; ++i) ++calls[picked(message)];
    EXPECT_EQ(calls.size(), kNodes);
  }
}

TEST_F(Strategies, C_D3_TheCallersChoiceGoesBeforeTheServices) {
  declare(Strategy::sticky, "town");
  std::map<std::string, int> calls;
  for (int i = 0; i < 200; ++i) ++calls[picked(about("Oslo"), {Strategy::random})];
  EXPECT_EQ(calls.size(), kNodes);
  declare(Strategy::random);
  const std::string home = picked(about("Oslo"), {Strategy::sticky, "a key"});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(picked(about("Bergen"), {Strategy::sticky, "a key"}), home);
}

// Nodes of other builds and versions must agree.
TEST(Affinity, IsTheSameEverywhere) {
  EXPECT_EQ(affinity("", ""), affinity("", ""));
  EXPECT_NE(affinity("a", "bc"), affinity("ab", "c"));
  EXPECT_EQ(affinity("Oslo", "node-1"), 13720437582883663330u);
  EXPECT_EQ(affinity("Oslo", "node-2"), 6350843577457054643u);
}

}  // namespace
}  // namespace busbar::host
