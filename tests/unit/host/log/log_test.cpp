#include "log/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <thread>
#include <vector>

namespace busbar::host {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

struct Captured {
  std::ostringstream stream;
  Logs logs;
  explicit Captured(LogSettings settings) : logs(settings, std::make_shared<spdlog::sinks::ostream_sink_mt>(stream)) {}
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    std::istringstream in(stream.str());
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
};

TEST(Logging, WritesOneLinePerCallWithTheLoggersName) {
  Captured captured({});
  captured.logs.get("host.loader").info("loaded", {{"plugin", "greeter"}});
  captured.logs.get("plugin.greeter").error("failed");
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], EndsWith(" info  host.loader: loaded plugin=greeter"));
  EXPECT_THAT(lines[1], EndsWith(" error plugin.greeter: failed"));
}

TEST(Logging, WritesFromItsLevelOn) {
  Captured captured({LogLevel::warn, LogFormat::text});
  const Logger log = captured.logs.get("x");
  EXPECT_FALSE(log.enabled(LogLevel::info));
  EXPECT_TRUE(log.enabled(LogLevel::warn));
  log.trace("no");
  log.debug("no");
  log.info("no");
  log.warn("yes");
  log.error("yes");
  EXPECT_EQ(captured.lines().size(), 2U);
}

TEST(Logging, ChangesTheLevelOfLoggersThatExistAlready) {
  Captured captured({});
  const Logger log = captured.logs.get("x");
  captured.logs.levels().set("", LogLevel::trace);
  log.trace("frame");
  EXPECT_THAT(captured.stream.str(), HasSubstr("trace x: frame"));
}

// G6: foreign text as a format throws.
TEST(Logging, NeverTakesTextForAFormat) {
  Captured captured({});
  captured.logs.get("plugin.{}").warn("{} {0} {:x} %s %v", {{"{}", "{"}});
  EXPECT_THAT(captured.stream.str(), EndsWith("plugin.{}: {} {0} {:x} %s %v {}={\n"));
}

// G1: nothing that was passed in is needed later.
TEST(Logging, KeepsNoPointerToWhatItWasGiven) {
  Captured captured({});
  auto name = std::make_unique<std::string>("plugin.with_a_name_too_long_to_be_kept_in_place");
  const Logger log = captured.logs.get(*name);
  name.reset();
  log.info("still named");
  EXPECT_THAT(captured.stream.str(), HasSubstr("plugin.with_a_name_too_long_to_be_kept_in_place: still named"));
}

// G2, G3: a plugin that links the same spdlog can reach its global registry.
TEST(Logging, SurvivesAPluginThatShutsSpdlogDown) {
  Captured captured({});
  const Logger log = captured.logs.get("host.loader");
  spdlog::set_level(spdlog::level::off);
  spdlog::drop_all();
  spdlog::shutdown();
  log.info("here");
  EXPECT_EQ(captured.lines().size(), 1U);
}

TEST(Logging, OutlivesItsLogs) {
  std::ostringstream stream;
  Logger log;
  {
    Logs logs({}, std::make_shared<spdlog::sinks::ostream_sink_mt>(stream));
    log = logs.get("late");
  }
  log.info("here");
  EXPECT_THAT(stream.str(), EndsWith("late: here\n"));
}

TEST(Logging, WithoutLogsWritesNothing) {
  const Logger log;
  EXPECT_FALSE(log.enabled(LogLevel::error));
  log.error("nobody reads this");
}

TEST(Logging, KeepsLinesWholeBetweenThreads) {
  Captured captured({LogLevel::info, LogFormat::json});
  const Logger log = captured.logs.get("x");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&log, i] {
      for (int n = 0; n < 100; ++n) log.info("line", {{"thread", i}, {"n", n}});
    });
  }
  for (auto& thread : threads) thread.join();
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 400U);
  for (const auto& line : lines) EXPECT_TRUE(line.starts_with("{\"at\":") && line.ends_with("}")) << line;
}

TEST(Logging, GoesToStandardErrorByDefault) {
  testing::internal::CaptureStderr();
  Logs({LogLevel::info, LogFormat::json}).get("host").info("ready");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), EndsWith(R"("level":"info","logger":"host","message":"ready"})"
                                                               "\n"));
}

}  // namespace
}  // namespace busbar::host
