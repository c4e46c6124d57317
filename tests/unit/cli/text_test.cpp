#include "cli/text.hpp"

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

TEST(Printable, EscapesWhatATerminalWouldActUpon) {
  EXPECT_EQ(printable("a\x1b[31mb\n"), "a\\u001b[31mb\\u000a");
  EXPECT_EQ(printable("\xC2\x9B"), "\\u009b");      // a control sequence in one character
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\\u202e");  // turns what follows round
  EXPECT_EQ(printable("\xE2\x80\xA8"), "\\u2028");  // breaks the line
}

TEST(Printable, KeepsWhatIsTextAndReplacesWhatIsNone) {
  EXPECT_EQ(printable("Grüße, 世界 🎉"), "Grüße, 世界 🎉");
  EXPECT_EQ(printable("a\xff"), "a\xEF\xBF\xBD");
}

TEST(Printable, JsonKeepsItsLines) { EXPECT_EQ(printable_json("{\n}\x7f"), "{\n}\\u007f"); }

TEST(InQuotes, CutsWhatIsLongBetweenCharacters) {
  const std::string text = in_quotes(std::string(199, 'x') + "üü");
  EXPECT_EQ(text, "\"" + std::string(199, 'x') + "…\"");
}

TEST(Table, AlignsColumnsByCharactersAndLeavesNoSpaceAtTheEnd) {
  const std::string text =
      table({"A", "NAME", "LAST"}, {{{"1"}, {"grün"}, {""}}, {{"22"}, {"x"}, {"long text"}}}, Palette(false));
  EXPECT_EQ(text,
            "A   NAME  LAST\n"
            "1   grün\n"
            "22  x     long text\n");
  EXPECT_EQ(table({"A"}, {}, Palette(false)), "");
}

TEST(Table, ColoursDoNotChangeTheColumns) {
  const std::string text = table({"A", "B"}, {{{"1", Colour::green}, {"2"}}}, Palette(true));
  EXPECT_EQ(text,
            "\033[1mA\033[0m  \033[1mB\033[0m\n"
            "\033[32m1\033[0m  2\n");
}

TEST(Palette, WithoutColoursIsPlain) { EXPECT_EQ(Palette(false)(Colour::red, "x"), "x"); }

}  // namespace
}  // namespace busbar::cli
