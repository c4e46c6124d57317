#include "cli/new/verb.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class MakeProject : public ::testing::Test {
 protected:
  void SetUp() override {
    command.plugin = "tea-pot";
    command.directory = here.path();
  }
  std::string output() const {
    std::istringstream in;
    std::ostringstream out, err;
    EXPECT_EQ(make_project(command, {in, out, err}), ExitStatus::ok);
    EXPECT_EQ(err.str(), "");
    return out.str();
  }

  const TemporaryDirectory here;
  Command command;
};

TEST_F(MakeProject, TellsPeopleWhatToTypeNext) {
  const std::string directory = here.path() / "tea-pot";
  const std::string out = output();
  EXPECT_THAT(
      out, HasSubstr("made " + directory + ": CMakeLists.txt router.hpp router.cpp test.cpp README.md .gitignore\n"));
  EXPECT_THAT(out, HasSubstr("\n  cd " + directory + "\n"));
  EXPECT_THAT(out, HasSubstr("\n  busbar check build/plugins/tea-pot.so\n"));
}

TEST_F(MakeProject, WritesOneDocumentWithJson) {
  command.json = true;
  const auto document = nlohmann::json::parse(output());
  EXPECT_EQ(document.size(), 2u);
  const fs::path directory = document["directory"].get<std::string>();
  EXPECT_EQ(directory, here.path() / "tea-pot");
  EXPECT_EQ(document["files"].size(), 6u);
  for (const auto& file : document["files"])
    EXPECT_TRUE(fs::is_regular_file(directory / file.get<std::string>())) << file;
}

TEST_F(MakeProject, QuotesADirectoryThatAShellWouldTakeApart) {
  fs::create_directory(here.path() / "two words");
  command.directory = here.path() / "two words";
  EXPECT_THAT(output(), HasSubstr("\n  cd '" + command.directory + "/tea-pot'\n"));
}

TEST_F(MakeProject, WritesNothingForANameThatIsRefused) {
  command.plugin = "../tea-pot";
  failure_of([&] { output(); });
  EXPECT_TRUE(fs::is_empty(here.path()));
}

}  // namespace
}  // namespace busbar::cli
