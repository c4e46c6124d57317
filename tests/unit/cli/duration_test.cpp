#include "cli/duration.hpp"

#include <gtest/gtest.h>

namespace busbar::cli {
namespace {

TEST(Duration, IsAWholeNumberAndAUnit) {
  EXPECT_EQ(read_duration("0s"), std::chrono::milliseconds(0));
  EXPECT_EQ(read_duration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(read_duration("10s"), std::chrono::seconds(10));
  EXPECT_EQ(read_duration("5m"), std::chrono::minutes(5));
  EXPECT_EQ(read_duration("24h"), std::chrono::hours(24));
}

TEST(Duration, IsNothingElse) {
  for (const char* text : {"", "s", "10", "-1s", "+1s", " 1s", "1s ", "1.5s", "1 s", "1S", "25h", "1441m",
                           "4294967296s", "99999999999999999999ms"}) {
    EXPECT_EQ(read_duration(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace busbar::cli
