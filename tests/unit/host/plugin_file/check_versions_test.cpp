// `busbar check OLD NEW`: two files that are versions of one plugin.
#include "plugins/file/check_versions.hpp"

#include "checked.hpp"

namespace busbar::host {
namespace {

using testing::Checked;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::fixture;
using ::testing::HasSubstr;

Checked check(const std::string& older, const std::string& newer, bool json = true) {
  return testing::check({older, newer}, json);
}

void expect_the_changes_of_typed(const Checked& checked) {
  EXPECT_EQ(checked.status, 1);
  EXPECT_EQ(checked.comparison()["breaks"], true);
  EXPECT_THAT(checked.changes("breaks"),
              ::testing::UnorderedElementsAre("typed_removed: is gone", "typed_order: was idempotent, is not any more",
                                              "typed_order: request field \"colour\": is new and required",
                                              "typed_order: response field \"number\": is gone",
                                              "typed_message: request field \"colour\": is new and required",
                                              "typed_message: response field \"number\": is gone"));
  EXPECT_THAT(checked.changes("fine"), ::testing::ElementsAre("typed_added: is new"));
  EXPECT_THAT(checked.changes("warns"), ::testing::IsEmpty());
}

TEST(CheckVersions, SayWhatWouldBreakCallers) {
  expect_the_changes_of_typed(check(fixture("typed"), fixture("typed_newer")));
}

TEST(CheckVersions, SayThatThePluginTakesFewerCalls) {
  const Checked less = check(fixture("limited"), fixture("limited_newer"));
  EXPECT_EQ(less.status, 0);
  EXPECT_THAT(less.changes("warns"),
              ElementsAre(": its limit was 4 at a time and 5 that wait, is 2 at a time and 5 that wait"));
  EXPECT_THAT(check(fixture("limited_newer"), fixture("limited")).changes("fine"), ElementsAre(HasSubstr("is 4 at")));
  EXPECT_THAT(check(fixture("limited"), fixture("limited_newer"), false).text,
              HasSubstr("warns   plugin: its limit was 4 at a time"));
}

TEST(CheckVersions, AskThePluginWhereItsFileDoesNotSay) {
  expect_the_changes_of_typed(check(fixture("typed"), fixture("typed_newer_unsaid")));
}

TEST(CheckVersions, OfTheSameFileHaveNoChanges) {
  const Checked checked = check(fixture("typed"), fixture("typed"));
  EXPECT_EQ(checked.status, 0);
  EXPECT_EQ(checked.comparison(), (nlohmann::json{{"breaks", false}, {"changes", nlohmann::json::array()}}));
  EXPECT_THAT(check(fixture("typed"), fixture("typed"), false).text,
              HasSubstr("nothing that concerns callers has changed\n"));
}

TEST(CheckVersions, ShowThemselvesToPeople) {
  const std::string text = check(fixture("typed"), fixture("typed_newer"), false).text;
  EXPECT_THAT(text, HasSubstr("old     typed 1.0.0  " + fixture("typed").string() + "\n"));
  EXPECT_THAT(text, HasSubstr("new     typed 1.1.0  "));
  EXPECT_THAT(text, HasSubstr("breaks  service \"typed_removed\": is gone\n"));
  EXPECT_THAT(text, HasSubstr("fine    service \"typed_added\": is new\n"));
  EXPECT_THAT(text, HasSubstr("6 changes would break callers\n"));
}

TEST(CheckVersions, OfAnotherNameCannotTakeEachOthersPlace) {
  const testing::TemporaryFolder folder;
  const Checked checked = check(fixture("good"), testing::good_by_another_name(folder));
  EXPECT_EQ(checked.status, 1);
  EXPECT_THAT(checked.changes("breaks"), Contains(HasSubstr("its name was \"good\", is \"food\"")));
}

TEST(CheckVersions, BreakCallersIfTheNewOneWouldBeRefused) {
  const testing::TemporaryFolder folder;
  testing::Bytes bytes = testing::read_bytes(fixture("good"));
  const std::string entry = "busbar_plugin_entry";
  for (auto at = bytes.begin(); (at = std::search(at, bytes.end(), entry.begin(), entry.end())) != bytes.end();)
    *at++ = 'x';
  testing::write_bytes(folder / "good.so", bytes);
  const Checked checked = check(fixture("good"), folder / "good.so");
  EXPECT_EQ(checked.status, 1);
  EXPECT_THAT(checked.changes("breaks"), Contains(HasSubstr("the new one would be refused: exports no function")));
}

TEST(CheckVersions, CannotBeComparedIfWhatOneOffersIsNotKnown) {
  const testing::TemporaryFolder folder;
  const Checked checked = check(fixture("create_fails"), fixture("create_fails"));
  EXPECT_EQ(checked.status, 2);
  EXPECT_THAT(checked.comparison()["problem"].get<std::string>(),
              HasSubstr("offers is not known: its constructor failed"));
  EXPECT_THAT(check(fixture("create_fails"), fixture("create_fails"), false).text, HasSubstr("could not compare: "));
}

TEST(CheckVersions, AreNotTwoDifferentPlugins) {
  const Checked checked = check(fixture("good"), fixture("typed"));
  EXPECT_EQ(checked.status, 0);
  EXPECT_FALSE(nlohmann::json::parse(checked.text).contains("comparison"));
}

}  // namespace
}  // namespace busbar::host
