#include "config/units.hpp"

#include <gtest/gtest.h>

namespace busbar::host {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Durations, AreWholeNumbersWithAUnit) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("30s"), seconds(30));
  EXPECT_EQ(parse_duration("5m"), minutes(5));
  EXPECT_EQ(parse_duration("2h"), hours(2));
  EXPECT_EQ(parse_duration("0s"), seconds(0));
}

TEST(Durations, AreNothingElse) {
  for (const char* text : {"", "s", "30", "30 s", " 30s", "30s ", "-1s", "+1s", "1.5s", "30S", "30sec", "30ss", "1d",
                           "0x1s", "99999999999999999999s", "9223372036854775807s", "9223372036854775808ms"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Sizes, AreWholeNumbersWithAUnit) {
  EXPECT_EQ(parse_size("512B"), 512U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("16MiB"), 16'777'216U);
  EXPECT_EQ(parse_size("1GiB"), 1'073'741'824U);
}

TEST(Sizes, AreNothingElse) {
  for (const char* text :
       {"", "MiB", "16", "16 MiB", "16MB", "16M", "16mib", "1.5MiB", "-1B", "18446744073709551615KiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(WholeNumbers, HaveNoSignUnitOrSpace) {
  EXPECT_EQ(parse_whole_number("0"), 0U);
  EXPECT_EQ(parse_whole_number("18446744073709551615"), 18446744073709551615U);
  for (const char* text : {"", " 1", "1 ", "-1", "+1", "1.0", "1e3", "18446744073709551616"}) {
    EXPECT_FALSE(parse_whole_number(text)) << text;
  }
}

TEST(Units, ShowTheLargestThatIsExact) {
  EXPECT_EQ(format_duration(milliseconds(0)), "0ms");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(format_duration(seconds(90)), "90s");
  EXPECT_EQ(format_duration(seconds(120)), "2m");
  EXPECT_EQ(format_duration(hours(24)), "24h");
  EXPECT_EQ(format_size(1000), "1000B");
  EXPECT_EQ(format_size(64 * 1024 * 1024), "64MiB");
}

}  // namespace
}  // namespace busbar::host
