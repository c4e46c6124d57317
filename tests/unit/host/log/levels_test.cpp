#include "log/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

namespace busbar::host {
namespace {

using ::testing::ElementsAre;

class LevelsTest : public ::testing::Test {
 protected:
  static LogSettings settings() {
    LogSettings settings;
    settings.levels = {{"host.loader", LogLevel::warn}, {"plugin.greeter", LogLevel::debug}};
    return settings;
  }
  static LogLevel level_of(const Logger& log) {
    for (const LogLevel level : {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn}) {
      if (log.enabled(level)) return level;
    }
    return LogLevel::error;
  }
  LogLevel level_of(std::string_view name) { return level_of(logs.get(name)); }
  /// `part=level` of each, with a `!` where it was set after the start.
  std::vector<std::string> rows() {
    std::vector<std::string> out;
    for (const auto& row : logs.levels().rows()) {
      out.push_back(row.part + "=" + std::string(to_text(row.level)) + (row.changed ? "!" : ""));
    }
    return out;
  }

  Logs logs{settings(), std::make_shared<spdlog::sinks::null_sink_mt>()};
  LogLevels& levels = logs.levels();
};

TEST_F(LevelsTest, AreThoseOfTheLongestPartThatIsNamed) {
  EXPECT_EQ(level_of("host"), LogLevel::info);
  EXPECT_EQ(level_of("host.loader"), LogLevel::warn);
  EXPECT_EQ(level_of("host.loader.inner"), LogLevel::warn);
  EXPECT_EQ(level_of("host.loaders"), LogLevel::info) << "another word";
  EXPECT_EQ(level_of("plugin.greeter"), LogLevel::debug);
  levels.set("host", LogLevel::trace);
  EXPECT_EQ(level_of("host.dispatch"), LogLevel::trace);
  EXPECT_EQ(level_of("host.loader"), LogLevel::warn);
  EXPECT_EQ(level_of("hostess"), LogLevel::info);
}

TEST_F(LevelsTest, ChangeForLoggersThatWereHandedOutAndForThoseThatCome) {
  const Logger before = logs.get("plugin.echo");
  const Logger copy = before;
  levels.set("plugin.echo", LogLevel::error);
  EXPECT_EQ(level_of(before), LogLevel::error);
  EXPECT_EQ(level_of(copy), LogLevel::error);
  EXPECT_EQ(level_of("plugin.echo"), LogLevel::error);
  levels.set("", LogLevel::debug);
  EXPECT_EQ(level_of(before), LogLevel::error);
  EXPECT_EQ(level_of("plugin.other"), LogLevel::debug);
}

TEST_F(LevelsTest, AreTakenBackToWhatTheConfigurationSays) {
  const Logger greeter = logs.get("plugin.greeter");
  levels.set("plugin.greeter", LogLevel::error);
  levels.set("plugin", LogLevel::trace);
  levels.take_back("plugin.greeter");
  EXPECT_EQ(level_of(greeter), LogLevel::debug);
  EXPECT_EQ(level_of("plugin.echo"), LogLevel::trace);
  levels.take_back("plugin.nobody");
  levels.set("", LogLevel::error);
  levels.take_back("");
  EXPECT_EQ(level_of("plugin.echo"), LogLevel::info);
}

TEST_F(LevelsTest, AreListedWithAllFirstAsLongAsTheyHaveALoggerOrASetting) {
  auto echo = std::make_unique<Logger>(logs.get("plugin.echo"));
  levels.set("plugin.echo", LogLevel::trace);
  EXPECT_THAT(rows(), ElementsAre("=info", "host.loader=warn", "plugin.echo=trace!", "plugin.greeter=debug"));
  EXPECT_TRUE(levels.has("plugin"));
  EXPECT_TRUE(levels.has("plugin.echo"));
  EXPECT_FALSE(levels.has("plugin.ech"));
  EXPECT_FALSE(levels.has("host"));
  echo.reset();
  EXPECT_FALSE(levels.has("plugin"));
  EXPECT_THAT(rows(), ElementsAre("=info", "host.loader=warn", "plugin.echo=trace!", "plugin.greeter=debug"));
  levels.take_back("plugin.echo");
  EXPECT_THAT(rows(), ElementsAre("=info", "host.loader=warn", "plugin.greeter=debug"));
}

TEST_F(LevelsTest, OfALoggerOutliveIt) {
  levels.set("plugin.echo", LogLevel::trace);
  EXPECT_EQ(level_of("plugin.echo"), LogLevel::trace);
  EXPECT_EQ(level_of("plugin.echo"), LogLevel::trace) << "a second version";
}

}  // namespace
}  // namespace busbar::host
