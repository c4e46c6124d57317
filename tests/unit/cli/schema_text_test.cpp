#include "cli/schema_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace busbar::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Palette kUncoloured(false);

std::string shown(const char* schema, bool is_request = true) {
  return schema_text(Json::parse(schema), is_request, kUncoloured);
}

TEST(SchemaText, OfAPlainValueIsOneLine) {
  EXPECT_EQ(shown(R"({"type": "string"})"), "  text\n");
  EXPECT_EQ(shown("true"), "  anything\n");
  EXPECT_EQ(shown(R"({"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "null"}]})"),
            "  integer 0…9 or null\n");
  EXPECT_EQ(shown(R"({"description": "nothing is read of it"})"), "  anything, nothing is read of it\n");
  EXPECT_EQ(shown(R"({"type": "array", "items": {"type": "boolean"}})"), "  array of true or false\n");
}

TEST(SchemaText, HasARowForEachFieldWithThePathToIt) {
  EXPECT_EQ(shown(R"({"type": "object", "required": ["lines"], "properties": {
                "lines": {"type": "array", "items": {"type": "object", "required": ["amount"], "properties": {
                    "amount": {"type": "integer"}, "size": {"type": "string", "enum": ["s", "l"], "default": "l"}}}},
                "pause": {"type": "integer", "description": "milliseconds"},
                "names": {"type": "object", "additionalProperties": {"type": "number"}}}})"),
            "  FIELD           TYPE                    REQUIRED  DEFAULT\n"
            "  lines           array of map            yes       -\n"
            "  lines[].amount  integer                 yes       -\n"
            "  lines[].size    one of s, l             no        \"l\"\n"
            "  pause           integer, milliseconds   no        -\n"
            "  names           map of names to number  no        -\n");
}

TEST(SchemaText, OfAnAnswerSaysWhatIsAlwaysThere) {
  EXPECT_EQ(
      shown(R"({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": true}})", false),
      "  FIELD  TYPE      ALWAYS\n"
      "  a      text      yes\n"
      "  b      anything  no\n");
}

TEST(SchemaText, NamesTheAlternativesOfAVariantAndTheElementsOfATuple) {
  const std::string text = shown(R"({"type": "object", "properties": {
      "shape": {"oneOf": [{"type": "object", "properties": {"type": {"const": "circle"},
          "value": {"type": "object", "properties": {"radius": {"type": "number"}}, "required": ["radius"]}}}]},
      "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}}})");
  EXPECT_THAT(text, HasSubstr("  shape                        variant: one of circle"));
  EXPECT_THAT(text, HasSubstr("  shape.value (circle).radius  number"));
  EXPECT_THAT(text, HasSubstr("  pair                         array of 2"));
  EXPECT_THAT(text, HasSubstr("  pair[1]                      number"));
}

TEST(SchemaText, OfATypeWithinItselfEnds) {
  const std::string text = shown(R"({"$ref": "#/$defs/Tree", "$defs": {"Tree": {"type": "object", "properties":
      {"left": {"$ref": "#/$defs/Tree"}, "right": {"$ref": "#/$defs/Tree"}, "other": {"$ref": "#/$defs/Tree"}}}}})");
  EXPECT_THAT(text, HasSubstr("  left.left.left"));
  EXPECT_THAT(text, ::testing::EndsWith("  … and more: see --json\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 202);
}

TEST(SchemaText, OfSomethingElseIsShownAsFarAsItGoes) {
  for (const char* odd : {"null", "5", "[]", R"({"type": 5})", R"({"$ref": "#/$defs/a"})", R"({"oneOf": [1, {}]})",
                          R"({"type": "object", "properties": {"a": null}, "required": {"a": 1}})",
                          R"({"type": "array", "prefixItems": [1]})", R"({"type": "string", "enum": [1, null]})"}) {
    EXPECT_FALSE(shown(odd).empty()) << odd;
  }
  EXPECT_THAT(shown(R"({"type": "object", "properties": {"a\u001b[1m": true}})"), Not(HasSubstr("\x1b")));
}

TEST(CallLine, IsOneThatAShellTakes) {
  EXPECT_EQ(call_line("", "greet", Json{{"name", "it's"}}, Json()), R"(busbar call greet '{"name":"it'\''s"}')");
  EXPECT_EQ(call_line("--run-dir /r ", "count", 5, Json()), "busbar --run-dir /r call count 5");
  EXPECT_EQ(call_line("", "balance", 5, Json{{"user", "ann"}}), R"(busbar call balance 5 --assign 'user="ann"')");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a b"), "'a b'");
}

}  // namespace
}  // namespace busbar::cli
