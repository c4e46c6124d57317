// What is told of a benchmark, from what was counted.
#include "cli/bench/report.hpp"

#include "cli/bench/numbers.hpp"
#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BenchReports : public ::testing::Test {
 protected:
  BenchReports() {
    result.measured = std::chrono::seconds(1);
    for (int i = 0; i < 98; ++i) result.tally.answered(Response::ok(), microseconds(100));
    result.begun = 98;
  }
  Json json() const { return report_json({service, node, options, result}); }
  std::string text() const { return report_text({service, node, options, result}, Palette(false)); }

  const std::string service = "greet", node;
  BenchOptions options;
  BenchResult result;
};

TEST_F(BenchReports, CountFailuresByKindAndErrorsByCode) {
  result.tally.answered(Response::error("out_of_tea", "there is none"), milliseconds(1));
  result.tally.answered(Response::service_timeout("greet", "id", 50), milliseconds(50));
  EXPECT_FALSE(is_good(result));
  const Json document = json();
  EXPECT_EQ(document["calls"], 100);
  EXPECT_EQ(document["outcomes"]["ok"], 98);
  EXPECT_EQ(document["outcomes"]["error"], 1);
  EXPECT_EQ(document["outcomes"]["service_timeout"], 1);
  EXPECT_EQ(document["errors"], Json({{"out_of_tea", 1}}));
  EXPECT_EQ(document["latency"]["max_us"], 50'000.0);
  EXPECT_EQ(document["ok_latency"]["max_us"], 100.0);
  EXPECT_THAT(text(), AllOf(HasSubstr("error out_of_tea"), HasSubstr("service_timeout"),
                            HasSubstr("the first failure: error out_of_tea"), HasSubstr("of those that succeeded")));
}

TEST_F(BenchReports, WhatWasCutOffCountsWithTheTimeThatItHadWaited) {
  options.rate = 100.0;
  result.tally.no_answer(milliseconds(300));
  result.tally.unsent(milliseconds(700), 1);
  const Json document = json();
  EXPECT_EQ(document["calls"], 100);
  EXPECT_EQ(document["outcomes"]["no_answer"], 1);
  EXPECT_EQ(document["outcomes"]["unsent"], 1);
  EXPECT_EQ(document["latency"]["max_us"], 700'000.0);
  EXPECT_FALSE(is_good(result)) << "one was never answered";
  result.interrupted = true;
  EXPECT_TRUE(is_good(result)) << "whoever interrupts does not wait for it";
  EXPECT_EQ(json()["ended"], "interrupted");
}

TEST_F(BenchReports, SayWhereTheRateWasNotReached) {
  EXPECT_THAT(text(), Not(HasSubstr("reached")));
  options.rate = 98.0;
  EXPECT_THAT(text(), Not(HasSubstr("reached")));
  options.rate = 60'000.0;
  EXPECT_THAT(text(), HasSubstr("reached 98 of 60,000/s"));
}

TEST_F(BenchReports, SayFromWhenTheyCount) {
  EXPECT_EQ(json()["latency_from"], "sent");
  EXPECT_EQ(json()["rate_asked_per_s"], Json());
  EXPECT_THAT(text(), HasSubstr("when a call was sent"));
  options.rate = 98.0;
  EXPECT_EQ(json()["latency_from"], "due");
  EXPECT_THAT(text(), HasSubstr("when a call was due"));
}

TEST_F(BenchReports, OfNothingAreNoSuccess) {
  result.tally = {};
  EXPECT_FALSE(is_good(result));
  EXPECT_EQ(json()["latency"], Json());
  EXPECT_THAT(text(), HasSubstr("nothing was measured"));
}

TEST_F(BenchReports, AreBoundedAndSafeWhateverIsAnswered) {
  for (int i = 0; i < 500; ++i) result.tally.answered(Response::error("code" + std::to_string(i), "\033[2J"), {});
  EXPECT_EQ(result.tally.errors().size(), 101u);
  EXPECT_EQ(result.tally.errors().at("(others)"), 400u);
  EXPECT_THAT(text(), Not(HasSubstr("\033")));
}

TEST(BenchNumbers, AreAsPeopleReadThem) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(12'345'678), "12,345,678");
  EXPECT_EQ(rate_text(40'112.3), "40,112");
  EXPECT_EQ(rate_text(12.5), "12.5");
  EXPECT_EQ(rate_text(0.001), "0.001");
  EXPECT_EQ(rate_text(10), "10");
  EXPECT_EQ(short_time(microseconds(1)), "1.00 us");
  EXPECT_EQ(short_time(microseconds(41)), "41.0 us");
  EXPECT_EQ(short_time(microseconds(999)), "999 us");
  EXPECT_EQ(short_time(std::chrono::nanoseconds(999'999)), "1.00 ms");
  EXPECT_EQ(short_time(milliseconds(3'050)), "3.05 s");
}

}  // namespace
}  // namespace busbar::cli
