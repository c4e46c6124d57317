#include <algorithm>
#include <sstream>

#include "plugins/file/inspect.hpp"
#include "support.hpp"

namespace busbar::host {
namespace {

using ::testing::Contains;
using testing::fixture;
using ::testing::HasSubstr;

struct Checked {
  int status;
  std::string text;
  nlohmann::json files() const { return nlohmann::json::parse(text).at("files"); }
};

Checked check(const std::vector<std::string>& files, bool json) {
  std::ostringstream out;
  const int status = check_files(files, json, out, BUSBAR_TRIAL_PROGRAM);
  return {status, out.str()};
}

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
  testing::Bytes bytes = testing::read_bytes(fixture("good"));
  const std::string note("good\0", 5);  // the name in the descriptor comes first in the file
  const auto name = std::search(bytes.begin(), bytes.end(), note.begin(), note.end());
  ASSERT_NE(name, bytes.end());
  *name = 'f';
  testing::write_bytes(folder / "food.so", bytes);
  const Checked checked =
      check({fixture("good").string(), (folder / "food.so").string(), fixture("static_tls").string()}, true);
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

TEST(CheckFiles, GivesOneDocumentForFilesThatDoNotExist) {
  const Checked checked = check({"/nowhere/\xff.so"}, true);
  EXPECT_EQ(checked.status, 1);
  EXPECT_THAT(checked.files().at(0).at("problems").at(0).get<std::string>(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace busbar::host
