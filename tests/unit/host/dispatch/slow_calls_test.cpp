#include "dispatch/slow_calls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <sstream>

namespace busbar::host {
namespace {

using ::testing::HasSubstr;

class SlowCallsTest : public ::testing::Test {
 protected:
  std::string taken() {
    std::string all = text_.str();
    text_.str({});
    return all;
  }

  std::ostringstream text_;
  Logs logs_{LogSettings{}, std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)};
  SlowCalls slow_calls_;
  const std::uint64_t long_ago_ = ticks() - static_cast<std::uint64_t>(20 * kMillisecond / nanos_per_tick());
};

TEST_F(SlowCallsTest, AreNoneUntilTheyAreWatched) {
  EXPECT_FALSE(slow_calls_.may_be(long_ago_));
  slow_calls_.watch(logs_.get("x"), 10 * kMillisecond);
  EXPECT_TRUE(slow_calls_.may_be(long_ago_));
  EXPECT_FALSE(slow_calls_.may_be(ticks()));
}

TEST_F(SlowCallsTest, AreToldWithTheirOutcomeAndTheirIds) {
  slow_calls_.watch(logs_.get("x"), 10 * kMillisecond);
  slow_calls_.tell(long_ago_, "greet", "b", Response::ok(), {"id-1", "id-0"});
  const std::string line = taken();
  EXPECT_THAT(line, HasSubstr(" warn  x: a call took long service=greet node=b duration_us="));
  EXPECT_THAT(line, HasSubstr(" outcome=ok suppressed=0 message_id=id-1 correlation_id=id-0 trace_id="));
  slow_calls_.tell(long_ago_, "fail", "b", Response::error("out_of_tea", "there is none"), {"id-1", "id-0"});
  EXPECT_THAT(taken(), HasSubstr(" outcome=out_of_tea "));
}

TEST_F(SlowCallsTest, OfOneServiceAreOneLineASecond) {
  slow_calls_.watch(logs_.get("x"), 10 * kMillisecond);
  for (int i = 0; i < 5; ++i) slow_calls_.tell(long_ago_, "greet", "b", Response::ok(), {});
  slow_calls_.tell(long_ago_, "other", "b", Response::ok(), {});
  const std::string first = taken();
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 2) << first;
}

// What two processors' counters differ by is no time.
TEST_F(SlowCallsTest, AreNoneThatBeganAfterTheyEnded) {
  slow_calls_.watch(logs_.get("x"), 10 * kMillisecond);
  slow_calls_.tell(ticks() + 1'000'000'000, "greet", "b", Response::ok(), {});
  EXPECT_EQ(taken(), "");
}

}  // namespace
}  // namespace busbar::host
