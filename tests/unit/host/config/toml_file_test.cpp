#include "config/toml_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace busbar::host {
namespace {

using ::testing::HasSubstr;

/// The only fault of `text`, as "line:column text".
std::string fault(std::string_view text) {
  const FileContent content = parse_config(text);
  if (content.faults.size() != 1) return std::to_string(content.faults.size()) + " faults";
  const FileFault& only = content.faults.front();
  return std::to_string(only.at.line) + ":" + std::to_string(only.at.column) + " " + only.text;
}

TEST(ConfigFile, TellsSettingsWithTheirPlace) {
  const FileContent content = parse_config("[pool]\n# comment\nqueue = 5\n");
  ASSERT_EQ(content.settings.size(), 1U);
  EXPECT_EQ(full_name(*content.settings[0].key), "pool.queue");
  EXPECT_EQ(std::get<std::int64_t>(content.settings[0].value), 5);
  EXPECT_EQ(content.settings[0].at, (FilePosition{3, 9}));
  EXPECT_TRUE(content.faults.empty());
}

TEST(ConfigFile, TakesDottedKeysAndInlineTablesForTheSame) {
  EXPECT_EQ(parse_config("pool.queue = 5\nlog = {level = \"info\"}").settings.size(), 2U);
}

TEST(ConfigFile, NamesTheNearestKeyForAnUnknownOne) {
  EXPECT_EQ(fault("[pool]\nthread = 4\n"), "2:1 unknown key \"thread\" in [pool]; nearest known key: \"threads\"");
}

TEST(ConfigFile, NamesTheSectionOfAKeyThatBelongsElsewhere) {
  EXPECT_EQ(fault("[pool]\nmax_message = \"1MiB\""),
            "2:1 unknown key \"max_message\" in [pool]; nearest known key: \"limits.max_message\"");
}

TEST(ConfigFile, NamesTheNearestSectionForAnUnknownOne) {
  EXPECT_EQ(fault("\n[pol]\nthreads = 4"), "2:2 unknown section [pol]; nearest known section: [pool]");
  EXPECT_EQ(fault("[\"a\\nb\"]"), "1:2 unknown section [\"a\\nb\"]; nearest known section: [log]");
}

TEST(ConfigFile, NamesTheNearestKeyForOneOutsideOfAnySection) {
  EXPECT_EQ(fault("thread = 4"),
            "1:1 unknown key \"thread\" outside of any section; nearest known key: \"pool.threads\"");
}

TEST(ConfigFile, RefusesASectionThatIsNoTable) {
  EXPECT_EQ(fault("pool = 3"), "1:1 found an integer, expected the table [pool]");
  EXPECT_EQ(fault("[[pool]]\nthreads = 3"), "1:3 found an array, expected the table [pool]");
}

TEST(ConfigFile, TellsAllFaultsInTheirOrder) {
  const FileContent content = parse_config("[zoo]\n[pool]\nzzz = 1\naaa = 2\n[log]\nlvel = 1\n");
  ASSERT_EQ(content.faults.size(), 4U);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_LT(content.faults[i - 1].at, content.faults[i].at);
}

TEST(ConfigFile, SaysWhereItIsNoToml) {
  EXPECT_THAT(fault("[pool]\nthreads = \n"), HasSubstr("2:"));
  EXPECT_THAT(fault("[pool]\nthreads = \n"), HasSubstr("found no TOML: error while parsing"));
  EXPECT_THAT(fault("[pool]\nqueue = 1\nqueue = 2\n"),
              HasSubstr("3:9 found no TOML: error while parsing key-value pair: "
                        "cannot redefine existing integer 'queue'"));
  EXPECT_THAT(fault("[log]\nlevel = \"\xff\"\n"), HasSubstr("found no TOML: encountered invalid utf-8"));
  EXPECT_THAT(fault(std::string_view("\0\0\0", 3)), HasSubstr("1:1 found no TOML"));
}

TEST(ConfigFile, TellsAFaultInOneLineWhateverIsInIt) {
  EXPECT_EQ(fault("x = \"a\x1b[2J\"").find('\x1b'), std::string::npos);
}

TEST(ConfigFile, RefusesAMillionBrackets) {
  const std::string brackets(1'000'000, '[');
  EXPECT_THAT(fault(brackets), HasSubstr("found no TOML"));
  EXPECT_THAT(fault("x = " + brackets), HasSubstr("exceeded maximum nested value depth"));
  std::string tables = "x = ";
  for (int i = 0; i < 200'000; ++i) tables += "{a=";
  EXPECT_THAT(fault(tables), HasSubstr("exceeded maximum nested value depth"));
}

// The parser takes them, and then overflows the stack when it destroys the tree.
TEST(ConfigFile, RefusesAKeyOfManyParts) {
  std::string parts = "a";
  for (int i = 0; i < 250'000; ++i) parts += ".a";
  EXPECT_EQ(fault(parts + " = 1"), "1:64 found a key of more than 32 parts");
  EXPECT_EQ(fault("\n[" + parts + "]"), "2:65 found a key of more than 32 parts");
  EXPECT_EQ(fault("# it's\nx = {\"#\"." + parts + " = 1}"), "2:71 found a key of more than 32 parts");
  EXPECT_EQ(fault("x = '''\n'\n''\n'''\n'y'." + parts), "5:66 found a key of more than 32 parts");
  EXPECT_EQ(fault("x = \"\"\"\n\\\"\"\"\"\n[" + parts), "3:65 found a key of more than 32 parts");
}

TEST(ConfigFile, SurvivesTheDeepestTreeThatItTakes) {
  std::string parts = "a";
  for (int i = 0; i < 31; ++i) parts += ".a";
  std::string text = "[plugin.x]\n";
  for (int i = 0; i < 250; ++i) text += parts + " = {";
  text += parts + " = 1" + std::string(250, '}');
  EXPECT_THAT(fault(text), HasSubstr("nested deeper than 64"));
}

TEST(ConfigFile, CountsNoDotsInTextCommentsAndNumbers) {
  const std::string dots(1000, '.');
  const FileContent content = parse_config("# " + dots + "\n[plugin.x]\na = \"" + dots + "\\\"" + dots + "\"\nb = '" +
                                           dots + "'\nc = \"\"\"" + dots + "\n\"" + dots + "\"\"\"\nd = '''" + dots +
                                           "\n''" + dots + "'''\ne = [" + std::string(5, ' ') + "1.5, 2.5]\n");
  EXPECT_TRUE(content.faults.empty());
  EXPECT_EQ(content.plugin_tables.at("x").size(), 5U);
}

TEST(PluginTables, BecomeJson) {
  const FileContent content = parse_config(R"(
[plugin.greeter]
text = "hi"
whole = -7
half = 0.5
on = true
list = [1, "two", [3.0]]
nested.deeper = {a = 1}
moment = 2026-01-02T03:04:05Z
shifted = 2026-01-02T03:04:05.5+01:30
local = 2026-01-02T03:04:05
day = 2026-01-02
time = 03:04:05
)");
  ASSERT_TRUE(content.faults.empty()) << content.faults[0].text;
  EXPECT_EQ(content.plugin_tables.at("greeter"), nlohmann::json::parse(R"({
    "text": "hi", "whole": -7, "half": 0.5, "on": true, "list": [1, "two", [3.0]], "nested": {"deeper": {"a": 1}},
    "moment": "2026-01-02T03:04:05Z", "shifted": "2026-01-02T03:04:05.5+01:30", "local": "2026-01-02T03:04:05",
    "day": "2026-01-02", "time": "03:04:05"})"));
  EXPECT_TRUE(content.plugin_tables.at("greeter")["whole"].is_number_integer());
  EXPECT_TRUE(content.plugin_tables.at("greeter")["list"][2][0].is_number_float());
}

TEST(PluginTables, MayBeEmptyAndHaveNamesWithDotsInQuotes) {
  const FileContent content = parse_config("[plugin.a]\n[plugin.\"b.c-d\"]\n");
  EXPECT_EQ(content.plugin_tables.at("a"), nlohmann::json::object());
  EXPECT_TRUE(content.plugin_tables.contains("b.c-d"));
}

TEST(PluginTables, RefuseWhatNoPayloadCanHold) {
  EXPECT_EQ(fault("[plugin.x]\na = nan"), "2:5 found a number that is infinite or none, expected a finite one");
  EXPECT_EQ(fault("[plugin.x]\na = [1, -inf]"), "2:9 found a number that is infinite or none, expected a finite one");
  EXPECT_THAT(fault("[plugin.x]\na = " + std::string(64, '[') + std::string(64, ']')),
              HasSubstr("found tables and arrays nested deeper than 64"));
  EXPECT_EQ(fault("[plugin.x]\na = " + std::string(63, '[') + std::string(63, ']')), "0 faults");
}

TEST(PluginTables, MustBeTablesWithAPluginsName) {
  EXPECT_EQ(fault("plugin = 3"), "1:1 found an integer, expected tables [plugin.NAME]");
  EXPECT_EQ(fault("[plugin]\ntrial_timeout = \"5s\""),
            "2:1 found text for \"trial_timeout\" in [plugin], expected a table [plugin.NAME]; the keys of all plugins "
            "are in [plugins]");
  EXPECT_EQ(fault("[plugin.\"a b\"]"),
            "1:9 found [plugin.\"a b\"], expected a plugin's name: [A-Za-z0-9][A-Za-z0-9._-]{0,62}");
}

}  // namespace
}  // namespace busbar::host
