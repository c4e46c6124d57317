#include "log/line.hpp"

#include <busbar/trace.hpp>

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
TEST(LogLineAsText, HasTheIdsOfItsCallBehindTheFieldsAsFarAsThereAreAny) {
  const auto line = [](const CallIds& ids) {
    return log_line(LogFormat::text, kMoment, LogLevel::info, "x", "m", {{"a", 1}}, ids);
  };
  const std::string trace = trace_of("id-0", "id-1").trace_id_text(), own = trace_of("id-1", "id-1").trace_id_text();
  EXPECT_TRUE(line({"id-1", "id-0"}).ends_with("x: m a=1 message_id=id-1 correlation_id=id-0 trace_id=" + trace));
  EXPECT_TRUE(line({"id-1", ""}).ends_with("x: m a=1 message_id=id-1 trace_id=" + own));
  EXPECT_TRUE(line({"id-1", "id-0", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
                  .ends_with(" trace_id=0af7651916cd43dd8448eb211c80319c"));
  EXPECT_TRUE(line({}).ends_with("x: m a=1"));
}

TEST(LogLineForTheJournal, HasItsLevelAsAPriorityAndNoTime) {
  const auto line = [](LogFormat format, LogLevel level) {
    return log_line(LineForm(format, true), kMoment, level, "x", "<1>m\n<1>", {{"a", 1}}, {"id", ""});
  };
  const std::string trace = trace_of("id", "id").trace_id_text();
  EXPECT_EQ(line(LogFormat::text, LogLevel::error), "<3>error x: <1>m\\n<1> a=1 message_id=id trace_id=" + trace);
  EXPECT_EQ(line(LogFormat::text, LogLevel::warn).substr(0, 8), "<4>warn ");
  EXPECT_EQ(line(LogFormat::text, LogLevel::info).substr(0, 8), "<6>info ");
  EXPECT_EQ(line(LogFormat::text, LogLevel::debug).substr(0, 8), "<7>debug");
  EXPECT_EQ(line(LogFormat::text, LogLevel::trace).substr(0, 8), "<7>trace");
  EXPECT_EQ(
      line(LogFormat::json, LogLevel::warn),
      R"(<4>{"level":"warn","logger":"x","message":"<1>m\n<1>","a":1,"message_id":"id","trace_id":")" + trace + "\"}");
}

TEST(LogLine, IsCutWhereATextIsTooLong) {
  const std::string long_text = std::string(kLongestInLine - 1, 'x') + "üy";
  const std::string cut = std::string(kLongestInLine - 1, 'x') + "…";
  EXPECT_TRUE(text(long_text, {{"a", long_text}}).ends_with(": " + cut + " a=\"" + cut + "\""));
  const auto parsed = nlohmann::json::parse(json(long_text, {{"a", long_text}}));
  EXPECT_EQ(parsed["message"], cut);
  EXPECT_EQ(parsed["a"], cut);
}

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
