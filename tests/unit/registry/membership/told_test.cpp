// What a node tells of the others.
#include "unit/registry/membership/three_nodes.hpp"

namespace busbar::registry::testing {
namespace {

using ::testing::IsEmpty;

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

}  // namespace
}  // namespace busbar::registry::testing
