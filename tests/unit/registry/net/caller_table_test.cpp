// Which of the connections that others have dialled is the one that ended.
#include "net/caller_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace busbar::registry::net {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Callers : ::testing::Test {
  CallerTable table{3};
  const Time now{1h};
};

TEST_F(Callers, AreToldOfWhenTheirDescriptorsConnectionHasEnded) {
  table.accepted(7);
  table.accepted(8);
  const auto seven = table.add("x", 7, now);
  const auto eight = table.add("y", 8, now);
  ASSERT_TRUE(seven && eight);
  EXPECT_THAT(table.take_ended(), IsEmpty());
  table.disconnected(7);
  EXPECT_EQ(table.heard("x", now), seven) << "what it said last is still to be read";
  EXPECT_THAT(table.take_ended(), ElementsAre(*seven));
  EXPECT_EQ(table.heard("x", now), std::nullopt);
  EXPECT_EQ(table.routing_id(*seven), nullptr);
  EXPECT_EQ(table.heard("y", now), eight);
  EXPECT_THAT(table.take_ended(), IsEmpty());
}

TEST_F(Callers, OneWhoseConnectionHadEndedBeforeItWasReadIsNotTakenIn) {
  table.accepted(7);
  table.disconnected(7);
  EXPECT_EQ(table.add("x", 7, now), std::nullopt);
}

TEST_F(Callers, OneThatWasAcceptedBeforeAnybodyWatchedIsTakenIn) {
  const auto caller = table.add("x", 7, now);
  ASSERT_TRUE(caller);
  table.disconnected(7);
  EXPECT_THAT(table.take_ended(), ElementsAre(*caller));
}

TEST_F(Callers, TheNextOneOnADescriptorEndsTheOneBefore) {
  table.accepted(7);
  table.disconnected(7);
  table.accepted(7);
  const auto late = table.add("first", 7, now);  // read when its descriptor was the second one's already
  const auto second = table.add("second", 7, now);
  ASSERT_TRUE(late && second);
  EXPECT_THAT(table.take_ended(), ElementsAre(*late));
  table.disconnected(7);
  EXPECT_THAT(table.take_ended(), ElementsAre(*second));
}

TEST_F(Callers, OneThatWasFoundToBeGoneIsHeardUntilItsEndIsTakenAndToldOfOnce) {
  table.accepted(7);
  const auto caller = table.add("x", 7, now);
  table.ended(*caller);
  EXPECT_EQ(table.heard("x", now), caller) << "what it said last is still to be read";
  table.disconnected(7);
  EXPECT_THAT(table.take_ended(), ElementsAre(*caller));
  EXPECT_THAT(table.take_ended(), IsEmpty());
}

TEST_F(Callers, OneWithoutADescriptorGoesByItsSilence) {
  const auto caller = table.add("x", -1, now);
  ASSERT_TRUE(caller);
  table.disconnected(-1);
  EXPECT_THAT(table.take_ended(), IsEmpty());
  EXPECT_THAT(table.take_silent(now), IsEmpty());
  EXPECT_THAT(table.take_silent(now + 1s), ElementsAre(*caller));
  EXPECT_EQ(table.heard("x", now), std::nullopt);
}

TEST_F(Callers, BeyondTheMostAreNotTakenInUntilThereIsRoom) {
  const auto first = table.add("a", 1, now);
  ASSERT_TRUE(first && table.add("b", 2, now) && table.add("c", 3, now));
  EXPECT_EQ(table.add("d", 4, now), std::nullopt);
  table.disconnected(1);
  EXPECT_THAT(table.take_ended(), ElementsAre(*first));
  EXPECT_TRUE(table.add("d", 4, now));
}

}  // namespace
}  // namespace busbar::registry::net
