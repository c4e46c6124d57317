#include "log/line.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>

namespace busbar::host {
namespace {

const std::chrono::system_clock::time_point kMoment{std::chrono::milliseconds(1'767'323'045'678)};

std::string text(std::string_view message, LogFields fields = {}) {
  return log_line(LogFormat::text, kMoment, LogLevel::warn, "host.dispatch", message, fields);
}

std::string json(std::string_view message, LogFields fields = {}) {
  return log_line(LogFormat::json, kMoment, LogLevel::warn, "host.dispatch", message, fields);
}

TEST(LogLineAsText, HasTimeLevelLoggerMessageAndFields) {
  const std::string service = "greet";
  EXPECT_EQ(text("no provider for service", {{"service", service}, {"id", "abc-_1"}}),
            "2026-01-02T03:04:05.678Z warn  host.dispatch: no provider for service service=greet id=abc-_1");
}

TEST(LogLineAsText, QuotesValuesThatWouldBeAmbiguous) {
  EXPECT_TRUE(text("m", {{"a", ""}, {"b", "x y"}, {"c", "x=y"}, {"d", "say \"hi\""}, {"e", "ü"}})
                  .ends_with(R"(: m a="" b="x y" c="x=y" d="say \"hi\"" e="ü")"));
}

TEST(LogLineAsText, ShowsNumbersAndFlagsPlainly) {
  EXPECT_TRUE(text("m", {{"a", -7},
                         {"b", std::numeric_limits<std::uint64_t>::max()},
                         {"c", 0.25},
                         {"d", true},
                         {"e", std::numeric_limits<double>::infinity()}})
                  .ends_with("m a=-7 b=18446744073709551615 c=0.25 d=true e=inf"));
}

// G6: control characters forge lines.
TEST(LogLineAsText, StaysOneLineWhateverIsInIt) {
  const std::string line = text("two\nlines", {{"na\nme", "va\r\nlue\xff"}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_TRUE(line.ends_with("two\\nlines \"na\\nme\"=\"va\\r\\nlue\uFFFD\"")) << line;
}

TEST(LogLineAsText, LeavesTheQuotesOfAMessage) {
  EXPECT_TRUE(text(R"(could not load plugin "billing")").ends_with(R"(: could not load plugin "billing")"));
}

TEST(LogLineAsJson, HasTheFieldsAsKeysWithTheirTypes) {
  EXPECT_EQ(json("m", {{"service", "greet"}, {"tries", 3}, {"local", false}, {"share", 0.5}}),
            R"({"at":"2026-01-02T03:04:05.678Z","level":"warn","logger":"host.dispatch","message":"m",)"
            R"("service":"greet","tries":3,"local":false,"share":0.5})");
}

TEST(LogLineAsJson, ParsesWhateverIsInIt) {
  const std::string line = json("a\"\n\\\x01\xff", {{"k\"\n", "\xc3 \u2028 {} %s"}, {"n", std::nan("")}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["message"], "a\"\n\\\x01\uFFFD");
  EXPECT_EQ(parsed["k\"\n"], "\uFFFD \u2028 {} %s");
  EXPECT_EQ(parsed["n"], "nan");
}

TEST(LogLineAsJson, KeepsEveryFieldWhenNamesClash) {
  const auto parsed = nlohmann::json::parse(json("m", {{"level", 1}, {"x", 2}, {"x_", 3}, {"x", 4}}));
  EXPECT_EQ(parsed["level"], "warn");
  EXPECT_EQ(parsed["level_"], 1);
  EXPECT_EQ(parsed["x"], 2);
  EXPECT_EQ(parsed["x_"], 3);
  EXPECT_EQ(parsed["x__"], 4);
}

}  // namespace
}  // namespace busbar::host
