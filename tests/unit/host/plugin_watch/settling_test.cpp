// When a change in the plugin directory is acted on.
#include "plugins/watch/settling.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace busbar::host {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kName = "p.so";

class SettlingTest : public ::testing::Test {
 protected:
  static Found whole(std::uint64_t size = 100) { return {{.device = 1, .inode = 2, .size = size}, true}; }
  static Found half(std::uint64_t size = 50) { return {{.device = 1, .inode = 2, .size = size}, false}; }
  void happens(Change change) { settling_.happened(kName, change, now_); }
  /// Looks whenever that is due, until so much time has passed; returns whether it was to be acted on meanwhile, and
  /// then the time is when.
  bool acts_within(Settling::Duration time, const std::optional<Found>& found) {
    const auto end = now_ + time;
    while (settling_.next_due() && *settling_.next_due() <= end) {
      now_ = std::max(now_, *settling_.next_due());
      EXPECT_THAT(settling_.due(now_), ElementsAre(kName));
      if (settling_.look(kName, found, now_)) return true;
    }
    now_ = end;
    return false;
  }
  Settling::Duration passed() const { return now_ - start_; }

  const Settling::Time start_ = Settling::Time(1h);
  Settling::Time now_ = start_;
  Settling settling_;
};

TEST_F(SettlingTest, AFileThatWasMovedHereIsSeenTwiceAndThenTaken) {
  happens(Change::finished);
  EXPECT_TRUE(acts_within(1s, whole()));
  EXPECT_EQ(passed(), 30ms);
  EXPECT_FALSE(settling_.waits_for(kName));
  EXPECT_EQ(settling_.next_due(), std::nullopt);
}

TEST_F(SettlingTest, ANewModeAfterItsEndIsNoReasonToWaitLonger) {
  happens(Change::other);
  happens(Change::finished);
  now_ += 10ms;
  happens(Change::attributes);
  EXPECT_TRUE(acts_within(1s, whole()));
  EXPECT_EQ(passed(), 40ms);
}

TEST_F(SettlingTest, AnythingElseWaitsUntilItIsQuiet) {
  happens(Change::other);
  EXPECT_FALSE(acts_within(400ms, whole()));
  happens(Change::other);
  EXPECT_FALSE(acts_within(499ms, whole(200)));
  EXPECT_TRUE(acts_within(1s, whole(200)));
  EXPECT_EQ(passed(), 900ms);
}

TEST_F(SettlingTest, AChangeThatNobodyHasToldOfIsSeen) {
  happens(Change::other);
  EXPECT_FALSE(settling_.look(kName, whole(100), now_));
  now_ += 500ms;
  EXPECT_FALSE(settling_.look(kName, whole(200), now_));
  EXPECT_TRUE(acts_within(1s, whole(200)));
  EXPECT_EQ(passed(), 1s);
}

TEST_F(SettlingTest, WhatIsNotWholeIsWaitedFor) {
  happens(Change::finished);
  EXPECT_FALSE(acts_within(3s, half()));
  EXPECT_TRUE(acts_within(1s, whole()));
  EXPECT_LT(passed(), 3100ms);
}

TEST_F(SettlingTest, ButNotForEver) {
  happens(Change::finished);
  EXPECT_TRUE(acts_within(1min, half()));
  EXPECT_EQ(passed(), 5s);
}

TEST_F(SettlingTest, WhatNeverRestsIsTakenAsItIsInTheEnd) {
  std::uint64_t size = 0;
  bool taken = false;
  happens(Change::other);
  while (!taken && passed() < 1min) {
    taken = acts_within(200ms, whole(++size));
    if (!taken) happens(Change::other);
  }
  EXPECT_TRUE(taken);
  EXPECT_GE(passed(), 10s);
  EXPECT_LE(passed(), 11s);
}

TEST_F(SettlingTest, ANameThatIsAwayOnlyToComeBackWasNeverGone) {
  happens(Change::other);
  EXPECT_FALSE(acts_within(300ms, std::nullopt));
  happens(Change::finished);
  EXPECT_TRUE(acts_within(1s, whole()));
  EXPECT_EQ(passed(), 330ms);
}

TEST_F(SettlingTest, ANameThatStaysAwayIsGone) {
  happens(Change::other);
  EXPECT_TRUE(acts_within(1s, std::nullopt));
  EXPECT_EQ(passed(), 500ms);
}

TEST_F(SettlingTest, ManyChangesOfWhoWritesAreNoReasonToLookAtEach) {
  happens(Change::other);
  EXPECT_FALSE(settling_.look(kName, half(), now_));
  unsigned looks = 0;
  for (int i = 0; i < 10'000; ++i) {
    now_ += 50us;
    happens(Change::other);
    if (settling_.due(now_).empty()) continue;
    ++looks;
    settling_.look(kName, half(), now_);
  }
  EXPECT_EQ(looks, 0U);
}

TEST_F(SettlingTest, OfWhatNothingIsKnownItSaysSoAtOnce) {
  EXPECT_TRUE(settling_.look(kName, whole(), now_));
  happens(Change::other);
  settling_.forget(kName);
  EXPECT_THAT(settling_.due(now_ + 1h), IsEmpty());
}

}  // namespace
}  // namespace busbar::host
