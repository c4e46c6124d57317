#include "log/text.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace busbar::host {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

TEST(EscapedText, LeavesPlainTextAsItIs) { EXPECT_EQ(escaped("greet: Grüße, 你好 🚌"), "greet: Grüße, 你好 🚌"); }

TEST(EscapedText, EscapesQuotesAndBackslashesUnlikeAMessage) {
  EXPECT_EQ(escaped(R"(say "\")"), R"(say \"\\\")");
  std::string message;
  append_printable(message, "say \"\\\"\n");
  EXPECT_EQ(message, "say \"\\\"\\n");
}

TEST(EscapedText, EscapesControlCharactersSoThatNoNameForgesALine) {
  EXPECT_EQ(escaped("a\nb\r\tc\x1b[31m\x7f"), "a\\nb\\r\\tc\\u001b[31m\\u007f");
  EXPECT_EQ(escaped(std::string_view("\0x", 2)), "\\u0000x");
}

TEST(EscapedText, EscapesWhatBreaksOrTurnsALineElsewhere) {
  EXPECT_EQ(escaped("\u0085\u2028\u202e\u2066"), "\\u0085\\u2028\\u202e\\u2066");
}

TEST(EscapedText, ReplacesInvalidUtf8) {
  EXPECT_EQ(escaped("a\xff z"), "a\uFFFD z");
  EXPECT_EQ(escaped("\xc0\xaf"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(escaped("\xe0\x80\x80"), "\uFFFD\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "beyond U+10FFFF";
  EXPECT_EQ(escaped("cut \xe4\xbd"), "cut \uFFFD\uFFFD");
}

TEST(QuotedText, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(in_quotes("abc", 3), "\"abc\"");
  EXPECT_EQ(in_quotes("abcd", 3), "\"abc…\"");
  EXPECT_EQ(in_quotes("aüb", 2), "\"a…\"");
  EXPECT_LT(in_quotes(std::string(10'000, 'x')).size(), 300U);
}

TEST(UtcText, ShowsMillisecondsAlsoBeforeTheEpoch) {
  using namespace std::chrono;
  EXPECT_EQ(utc_text(system_clock::time_point(milliseconds(1'767'323'045'678))), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(utc_text(system_clock::time_point(milliseconds(-1))), "1969-12-31T23:59:59.999Z");
}

TEST(ErrorText, IsLowerCase) { EXPECT_EQ(error_text(ENOENT), "no such file or directory"); }

}  // namespace
}  // namespace busbar::host
