#include "dispatch/call_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <sstream>

namespace busbar::host {
namespace {

using ::testing::HasSubstr;

class CallLogTest : public ::testing::Test {
 protected:
  std::string taken() {
    std::string all = text_.str();
    text_.str({});
    return all;
  }

  std::ostringstream text_;
  Logs logs_{LogSettings{}, std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)};
  CallLog call_log_;
  const std::uint64_t long_ago_ = ticks() - static_cast<std::uint64_t>(20 * kMillisecond / nanos_per_tick());
};

TEST_F(CallLogTest, TellsOfNoneUntilItBegins) {
  EXPECT_FALSE(call_log_.may_tell(long_ago_));
  call_log_.begin(logs_.get("x"), 10 * kMillisecond);
  EXPECT_TRUE(call_log_.may_tell(long_ago_));
  EXPECT_FALSE(call_log_.may_tell(ticks()));
}

TEST_F(CallLogTest, TellsOfSlowOnesWithTheirOutcomeAndTheirIds) {
  call_log_.begin(logs_.get("x"), 10 * kMillisecond);
  call_log_.tell(long_ago_, "greet", "b", Response::ok(), {"id-1", "id-0"});
  const std::string line = taken();
  EXPECT_THAT(line, HasSubstr(" warn  x: a call took long service=greet node=b duration_us="));
  EXPECT_THAT(line, HasSubstr(" outcome=ok suppressed=0 message_id=id-1 correlation_id=id-0 trace_id="));
  call_log_.tell(long_ago_, "fail", "b", Response::error("out_of_tea", "there is none"), {"id-1", "id-0"});
  EXPECT_THAT(taken(), HasSubstr(" outcome=out_of_tea "));
}

TEST_F(CallLogTest, TellsOfSlowOnesOfAServiceOnceASecond) {
  call_log_.begin(logs_.get("x"), 10 * kMillisecond);
  for (int i = 0; i < 5; ++i) call_log_.tell(long_ago_, "greet", "b", Response::ok(), {});
  call_log_.tell(long_ago_, "other", "b", Response::ok(), {});
  const std::string first = taken();
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 2) << first;
}

TEST_F(CallLogTest, TellsOfEachAtTheLevelDebug) {
  call_log_.begin(logs_.get("x"), 10 * kMillisecond);
  const std::uint64_t now = ticks();
  EXPECT_FALSE(call_log_.tells(1));
  logs_.levels().set("x", LogLevel::debug);
  EXPECT_TRUE(call_log_.tells(1));
  call_log_.tell(now, "greet", "b", Response::ok(), {"id-1", "id-0"});
  EXPECT_THAT(taken(), HasSubstr(" debug x: a call has ended service=greet node=b duration_us="));
  for (int i = 0; i < 3; ++i) call_log_.tell(long_ago_, "greet", "b", Response::ok(), {});
  const std::string slow = taken();
  EXPECT_EQ(std::count(slow.begin(), slow.end(), '\n'), 3) << slow;
}

TEST_F(CallLogTest, TellsOfNoSlowOnesWhereNoneIsTooLong) {
  call_log_.begin(logs_.get("x"), 0);
  EXPECT_FALSE(call_log_.may_tell(long_ago_));
}

// What two processors' counters differ by is no time.
TEST_F(CallLogTest, TellsOfNoneThatBeganAfterTheyEnded) {
  call_log_.begin(logs_.get("x"), 10 * kMillisecond);
  call_log_.tell(ticks() + 1'000'000'000, "greet", "b", Response::ok(), {});
  EXPECT_EQ(taken(), "");
}

}  // namespace
}  // namespace busbar::host
