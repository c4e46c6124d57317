#include "cli/bench/options.hpp"

#include "cli/command_line.hpp"
#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

Command parse(std::vector<std::string> more) {
  more.insert(more.begin(), {"bench", "greet"});
  return parse_command_line(std::move(more), [](const char*) -> const char* { return nullptr; });
}

TEST(BenchOptions, HaveDefaults) {
  const Command command = parse({});
  EXPECT_EQ(command.verb, "bench");
  EXPECT_EQ(command.service, "greet");
  EXPECT_EQ(command.request, "{}");
  EXPECT_EQ(command.bench.callers_or_usual(), 1u);
  EXPECT_EQ(command.bench.rate, std::nullopt);
  EXPECT_EQ(command.bench.duration, milliseconds(10'000));
  EXPECT_EQ(command.bench.warm_up, milliseconds(1'000));
  EXPECT_FALSE(command.bench.progress);
  EXPECT_EQ(parse({"--rate", "5"}).bench.callers_or_usual(), 64u);
}

TEST(BenchOptions, AreRead) {
  const Command command = parse({"{\"a\":1}", "--callers", "16", "--rate", "0.5/s", "--duration", "500ms", "--warm-up",
                                 "0s", "--progress", "--timeout", "7", "--node", "n2", "--assign", "a=1"});
  EXPECT_EQ(command.request, "{\"a\":1}");
  EXPECT_EQ(command.bench.callers_or_usual(), 16u);
  EXPECT_EQ(command.bench.rate, 0.5);
  EXPECT_EQ(command.bench.duration, milliseconds(500));
  EXPECT_EQ(command.bench.warm_up, milliseconds(0));
  EXPECT_TRUE(command.bench.progress);
  EXPECT_EQ(command.timeout_ms, 7u);
  EXPECT_EQ(command.node, "n2");
  EXPECT_EQ(parse({"--connect", "tcp://h:1"}).connect, "tcp://h:1");
}

TEST(BenchOptions, AreRefusedWithWhatWasExpected) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> wrong = {
      {"--callers", {"0", "10001", "-1", "x"}},
      {"--rate", {"0", "0/s", "-1", "1e3", "nan", "inf", "5/m", "10000001", "/s", ""}},
      {"--duration", {"0s", "10", "25h", "-1s", "soon"}},
      {"--warm-up", {"1", "25h"}}};
  for (const auto& [option, values] : wrong) {
    for (const std::string& value : values) {
      const std::string argument = option + "=" + value;
      const Failure failure = failure_of([&] { parse({argument}); });
      EXPECT_EQ(failure.status(), ExitStatus::usage) << option << value;
      EXPECT_THAT(failure.what(), HasSubstr(option));
    }
  }
  EXPECT_THAT(failure_of([] {
                parse({"--rate", "fast"});
              }).what(),
              AllOf(HasSubstr("expected calls a second"), HasSubstr("found \"fast\"")));
}

}  // namespace
}  // namespace busbar::cli
