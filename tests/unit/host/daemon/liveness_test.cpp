// Which threads do not turn, from one look to the next.
#include "daemon/liveness.hpp"

#include <gtest/gtest.h>

namespace busbar::host {
namespace {

using std::chrono::seconds;

class LivenessTest : public ::testing::Test {
 protected:
  // After so many seconds; the threads that are named.
  std::vector<std::string> look(int after) {
    std::vector<std::string> out;
    for (const auto& hanging : liveness_.hanging(start_ + seconds(after))) out.push_back(in_words(hanging));
    return out;
  }
  std::vector<Node::Turns> turns_ = {{"one", 0}, {"two", 0}};
  int asked_ = 0;
  Liveness liveness_{{[this] { return turns_; }, [this] { ++asked_; }}, seconds(10)};

 private:
  const Liveness::Clock::time_point start_ = Liveness::Clock::now();
};

TEST_F(LivenessTest, AtTheFirstLookNothingWasAskedYet) {
  EXPECT_TRUE(look(0).empty());
  EXPECT_EQ(asked_, 1);
}

TEST_F(LivenessTest, OneThatDoesNotTurnForLongerThanItMayIsNamedUntilItDoes) {
  look(0);
  ++turns_[0].count;
  EXPECT_TRUE(look(10).empty());
  ++turns_[0].count;
  EXPECT_EQ(look(11), std::vector<std::string>{"thread two has not turned for 11 s"});
  ++turns_[1].count;
  EXPECT_TRUE(look(12).empty());
}

// Who is asked seldom has turned no more often for that.
TEST_F(LivenessTest, IdleThreadsTurnWhenTheyAreAskedTo) {
  look(0);
  for (auto& turns : turns_) ++turns.count;
  EXPECT_TRUE(look(3'600).empty());
  EXPECT_EQ(asked_, 2);
}

TEST_F(LivenessTest, OneThatEndsIsNotMissed) {
  look(0);
  ++turns_[0].count;
  turns_.pop_back();
  EXPECT_TRUE(look(60).empty());
}

}  // namespace
}  // namespace busbar::host
