#include "config/nearest.hpp"

#include <gtest/gtest.h>

namespace busbar::host {
namespace {

TEST(EditDistance, CountsLettersChangedAddedAndTakenAway) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("thread", "threads"), 1U);
  EXPECT_EQ(edit_distance("queue", "quue"), 1U);
}

TEST(EditDistance, TakesCapitalsForTheSame) { EXPECT_EQ(edit_distance("Max-Threads", "max_threads"), 1U); }

TEST(EditDistance, LooksAtTheBeginningOfVeryLongWordsOnly) {
  EXPECT_EQ(edit_distance(std::string(10'000'000, 'x'), "x"), 63U);
}

TEST(Nearest, IsTheClosestWord) {
  const std::vector<std::string> known = {"threads", "max_threads", "queue"};
  EXPECT_EQ(nearest("thread", known), "threads");
  EXPECT_EQ(nearest("maxthreads", known), "max_threads");
  EXPECT_EQ(nearest("cue", known), "queue");
}

}  // namespace
}  // namespace busbar::host
