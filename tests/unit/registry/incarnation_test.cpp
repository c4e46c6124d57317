// An incarnation is never lower than one used before (C-G9).
#include <busbar/registry/incarnation.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace busbar::registry {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::system_clock;

std::uint64_t us(Clock::time_point time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

class Incarnations : public ::testing::Test {
 protected:
  Incarnations() {
    std::string name = ::testing::TempDir() + "busbar-incarnation-XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~Incarnations() override { std::filesystem::remove_all(directory_); }

  void write(std::string_view text) { std::ofstream(directory_ / "incarnation") << text; }

  const Clock::time_point now_ = Clock::time_point(1'700'000'000s);
  std::filesystem::path directory_;
};

TEST_F(Incarnations, C_G9_TheFirstIsTheTimeInMicroseconds) { EXPECT_EQ(next_incarnation(directory_, now_), us(now_)); }

TEST_F(Incarnations, C_G9_GrowAlsoWhenTheClockIsSetBack) {
  std::uint64_t last = next_incarnation(directory_, now_);
  for (const auto back : {0s, 1s, 3'600s, 1'700'000'000s, 1'800'000'000s}) {
    const std::uint64_t next = next_incarnation(directory_, now_ - back);
    EXPECT_EQ(next, last + 1) << back.count();
    last = next;
  }
  EXPECT_EQ(next_incarnation(directory_, now_ + 1s), us(now_ + 1s));
}

TEST_F(Incarnations, C_G9_AHigherOneThatWasTakenIsPassed) {
  const std::uint64_t taken = us(now_) + 1'000'000;
  store_incarnation(directory_, taken);
  EXPECT_EQ(next_incarnation(directory_, now_), taken + 1);
}

TEST_F(Incarnations, C_G9_StoringALowerOneChangesNothing) {
  const std::uint64_t first = next_incarnation(directory_, now_);
  store_incarnation(directory_, 7);
  EXPECT_EQ(next_incarnation(directory_, now_ - 1s), first + 1);
}

TEST_F(Incarnations, WhatIsNoNumberCountsAsNone) {
  for (const char* garbage :
       {"", "\n", "x\n", "12 34\n", "-5\n", "1e9\n", "0x10\n", "99999999999999999999999\n", "18446744073709551615\n",
        "1800000000000000", " 1\n", "1800000000000000\n1800000000000000\n"}) {
    write(garbage);
    EXPECT_EQ(next_incarnation(directory_, now_), us(now_)) << garbage;
  }
}

TEST_F(Incarnations, AFileThatCannotBeReadCountsAsNone) {
  std::filesystem::create_symlink(directory_ / "nowhere" / "nothing", directory_ / "incarnation");
  EXPECT_EQ(next_incarnation(directory_, now_), us(now_));
}

TEST_F(Incarnations, AreRenamedIntoPlaceAndLeaveNothingBehind) {
  next_incarnation(directory_, now_);
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(directory_)) files.push_back(file.path().filename());
  EXPECT_THAT(files, ::testing::ElementsAre("incarnation"));
}

TEST_F(Incarnations, WithoutAPlaceToBeStoredAreAnErrorThatNamesTheFile) {
  for (const auto& place : {directory_ / "missing", std::filesystem::path("/proc/self")}) {
    try {
      next_incarnation(place, now_);
      FAIL() << place;
    } catch (const std::system_error& error) {
      EXPECT_NE(std::string(error.what()).find((place / "incarnation").string()), std::string::npos) << error.what();
    }
    EXPECT_THROW(store_incarnation(place, 1), std::system_error);
  }
}

TEST_F(Incarnations, AreNeverGivenOutTwiceByTwoThreads) {
  constexpr int kEach = 50;
  std::vector<std::uint64_t> taken[2];
  const auto take = [&](std::vector<std::uint64_t>& into) {
    for (int i = 0; i < kEach; ++i) into.push_back(next_incarnation(directory_, now_));
  };
  std::thread other([&] { take(taken[1]); });
  take(taken[0]);
  other.join();
  std::set<std::uint64_t> all;
  for (const auto& each : taken) {
    EXPECT_TRUE(std::is_sorted(each.begin(), each.end()));
    all.insert(each.begin(), each.end());
  }
  EXPECT_EQ(all.size(), 2U * kEach);
  EXPECT_EQ(*all.rbegin(), us(now_) + 2 * kEach - 1);
}

TEST_F(Incarnations, UnstoredAreTheTimeAndALittleMore) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t number = unstored_incarnation(now_);
    EXPECT_GE(number, us(now_));
    EXPECT_LT(number, us(now_ + 2ms));
    seen.insert(number);
  }
  EXPECT_GT(seen.size(), 1U);
}

}  // namespace
}  // namespace busbar::registry
