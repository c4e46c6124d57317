// Which of the connections of a ROUTER is still there, and which one has ended.
#include "transport/connection_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace busbar::host {
namespace {

std::shared_ptr<Connection> connection(const std::string& routing_id, int descriptor) {
  ConnectionIdentity identity;
  identity.routing_id = routing_id;
  identity.descriptor = descriptor;
  return std::make_shared<Connection>(std::move(identity), nullptr, 0);
}

TEST(ConnectionTableTest, OneThatWasAcceptedBeforeAnybodyWatchedIsOpen) {
  ConnectionTable table;
  EXPECT_TRUE(table.is_open(7));
  const auto only = connection("x", 7);
  EXPECT_EQ(table.add(only), nullptr);
  EXPECT_EQ(table.find("x"), only);
  EXPECT_EQ(table.disconnected(7), only);
  EXPECT_EQ(table.find("x"), only) << "what came over it may not have been read";
  table.remove(only);
  EXPECT_EQ(table.find("x"), nullptr);
}

TEST(ConnectionTableTest, OneThatHadEndedBeforeItsHelloWasReadIsNotOpen) {
  ConnectionTable table;
  table.accepted(7);
  EXPECT_EQ(table.disconnected(7), nullptr);
  EXPECT_FALSE(table.is_open(7));
  EXPECT_TRUE(table.is_open(8));
}

TEST(ConnectionTableTest, ADescriptorThatIsGivenAgainIsOpenAgain) {
  ConnectionTable table;
  table.accepted(7);
  table.disconnected(7);
  table.accepted(7);
  EXPECT_TRUE(table.is_open(7));
}

TEST(ConnectionTableTest, TheNextOneOnADescriptorTakesThePlaceOfTheOneBefore) {
  ConnectionTable table;
  const auto first = connection("first", 7);
  const auto second = connection("second", 7);
  table.add(first);
  EXPECT_EQ(table.add(second), first);
  EXPECT_EQ(table.find("first"), nullptr);
  EXPECT_EQ(table.disconnected(7), second);
  table.remove(second);
  EXPECT_EQ(table.size(), 0u);
}

TEST(ConnectionTableTest, OnesWhoseDescriptorIsNotKnownAreOpenAndDoNotDisplaceEachOther) {
  ConnectionTable table;
  EXPECT_EQ(table.disconnected(-1), nullptr);
  EXPECT_TRUE(table.is_open(-1));
  EXPECT_EQ(table.add(connection("x", -1)), nullptr);
  EXPECT_EQ(table.add(connection("y", -1)), nullptr);
  EXPECT_EQ(table.size(), 2u);
}

}  // namespace
}  // namespace busbar::host
