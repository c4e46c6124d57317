#include "checked.hpp"

namespace busbar::host {
namespace {

using testing::check;
using testing::Checked;
using testing::fixture;
using ::testing::HasSubstr;

TEST(CheckFiles, ShowsAGoodPluginToPeople) {
  const Checked checked = check({fixture("good").string()}, false);
  EXPECT_EQ(checked.status, 0);
  EXPECT_THAT(checked.text, HasSubstr("good.so: ok\n"));
  EXPECT_THAT(checked.text, HasSubstr("service   good (idempotent, 250 ms): Answers ok.\n"));
}

TEST(CheckFiles, ShowsAGoodPluginToPrograms) {
  const Checked checked = check({fixture("good").string()}, true);
  EXPECT_EQ(checked.status, 0);
  const nlohmann::json file = checked.files().at(0);
  EXPECT_EQ(file.at("file"), fixture("good").string());
  EXPECT_EQ(file.at("ok"), true);
  EXPECT_EQ(file.at("name"), "good");
  EXPECT_EQ(file.at("version"), "1.0.0");
  EXPECT_EQ(file.at("abi"), (nlohmann::json{{"major", 1}, {"minor", BUSBAR_ABI_MINOR}}));
  EXPECT_EQ(file.at("services").at(0).at("name"), "good");
  EXPECT_EQ(file.at("problems"), nlohmann::json::array());
  EXPECT_EQ(file.at("unloadable"), BUSBAR_BUILD_FLAGS == 0);
  EXPECT_EQ(file.at("static_tls"), false);
  EXPECT_TRUE(file.at("needed").is_array());
}

TEST(CheckFiles, FailsWhenOneOfThemWouldBeRefused) {
  const Checked checked = check({fixture("good").string(), fixture("no_entry").string()}, true);
  EXPECT_EQ(checked.status, 1);
  EXPECT_EQ(checked.files().at(0).at("ok"), true);
  EXPECT_EQ(checked.files().at(1).at("ok"), false);
  EXPECT_EQ(checked.files().at(1).at("services"), nullptr);
}

TEST(CheckFiles, SaysThatOneNameIsInTwoFiles) {
  const testing::TemporaryFolder folder;
  std::filesystem::copy(fixture("good"), folder / "again.so");
  const Checked checked =
      check({fixture("good").string(), (folder / "again.so").string(), fixture("static_tls").string()}, true);
  EXPECT_EQ(checked.status, 1);
  EXPECT_THAT(checked.files().at(1).at("problems").at(0).get<std::string>(), HasSubstr("name \"good\" held by \""));
}

TEST(CheckFiles, SaysThatOneServiceIsInTwoPlugins) {
  const testing::TemporaryFolder folder;
  const Checked checked =
      check({fixture("good").string(), testing::good_by_another_name(folder), fixture("static_tls").string()}, true);
  EXPECT_EQ(checked.status, 1);
  EXPECT_EQ(checked.files().at(1).at("name"), "food");
  EXPECT_THAT(checked.files().at(1).at("problems").at(0).get<std::string>(),
              HasSubstr("service \"good\" is offered by \""));
}

TEST(CheckFiles, ShowsSchemasAndExamplesAsJson) {
  const Checked checked = check({fixture("typed").string()}, true);
  ASSERT_EQ(checked.status, 0) << checked.text;
  const nlohmann::json service = checked.files().at(0).at("services").at(1);
  EXPECT_EQ(service.at("name"), "typed_order");
  EXPECT_EQ(service.at("request").at("required"), nlohmann::json::array({"item"}));
  EXPECT_EQ(service.at("response").at("type"), "object");
  EXPECT_EQ(service.at("example"), (nlohmann::json{{"item", "tea"}, {"count", 2}}));
}

TEST(CheckFiles, ShowsHowManyCallsAPluginTakes) {
  const Checked people = check({fixture("limited").string()}, false);
  EXPECT_EQ(people.status, 0) << people.text;
  EXPECT_THAT(people.text, HasSubstr("  limit     4 at a time and 5 that wait\n"));
  EXPECT_THAT(people.text, HasSubstr("  service   limited_itself (1 at a time)\n"));
  const nlohmann::json file = check({fixture("limited").string()}).files().at(0);
  EXPECT_EQ(file.at("max_running"), 4);
  EXPECT_EQ(file.at("max_queued"), 5);
  EXPECT_EQ(file.at("services").at(0).at("max_running"), 1);
  EXPECT_FALSE(file.at("services").at(0).contains("max_queued"));
  EXPECT_FALSE(check({fixture("good").string()}).files().at(0).contains("max_running"));
  EXPECT_THAT(check({fixture("good").string()}, false).text, ::testing::Not(HasSubstr("limit")));
}

TEST(CheckFiles, RefusesWhatAFileSaysOfItsLimitsAndKeys) {
  const auto problem = [](const char* name) {
    return check({fixture(name).string()}).files().at(0).at("problems").at(0).get<std::string>();
  };
  EXPECT_THAT(problem("inline_limited"), HasSubstr("in its manifest: service \"inline_limited\" is inline and has"));
  EXPECT_THAT(problem("queued_behind_none"), HasSubstr("in its manifest: its router has max_queued 10 without"));
  EXPECT_THAT(problem("sticky_unfit"), HasSubstr("expected a field of its requests, which are: \"name\""));
}

TEST(CheckFiles, GivesOneDocumentForFilesThatDoNotExist) {
  const Checked checked = check({"/nowhere/\xff.so"}, true);
  EXPECT_EQ(checked.status, 1);
  EXPECT_THAT(checked.files().at(0).at("problems").at(0).get<std::string>(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace busbar::host
