#include "cli/new/project.hpp"

#include <fstream>
#include <iterator>
#include <map>

#include "cli/new/template.hpp"
#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Contents = std::map<std::string, std::string>;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What is in a directory, directories in it included.
Contents contents_of(const fs::path& directory) {
  Contents contents;
  for (const auto& entry : fs::directory_iterator(directory)) {
    contents[entry.path().filename()] = entry.is_regular_file() ? read(entry) : "";
  }
  return contents;
}

// -- what is written

TEST(Template, IsWhatStandsInItsFolder) {
  Contents embedded;
  for (const TemplateFile& file : template_files()) embedded[std::string(file.path)] = file.content;
  EXPECT_EQ(embedded, contents_of(BUSBAR_TEMPLATE));
}

TEST(ProjectFiles, OfTheTemplatesOwnNameAreTheTemplate) {
  Contents files;
  for (const ProjectFile& file : project_files(project_names("my-plugin"))) files[file.path] = file.content;
  EXPECT_EQ(files, contents_of(BUSBAR_TEMPLATE));
}

TEST(ProjectFiles, HaveTheNamesOfTheirProjectAlone) {
  std::string all;
  for (const ProjectFile& file : project_files(project_names("tea-pot"))) all += file.content;
  for (const char* own : {"my-plugin", "my_plugin", "MyPlugin"}) EXPECT_THAT(all, Not(HasSubstr(own)));
  EXPECT_THAT(all, HasSubstr("busbar_add_plugin(tea-pot router.cpp)"));
  EXPECT_THAT(all, HasSubstr("service(\"tea_pot_greet\", &TeaPotRouter::greet)"));
  EXPECT_THAT(all, HasSubstr("BUSBAR_PLUGIN(TeaPotRouter, \"tea-pot\","));
}

TEST(WithNames, LooksAtNothingThatItPutIn) {
  EXPECT_EQ(with_names("my-plugin my_plugin MyPlugin", {"my_plugin.MyPlugin", "my-plugin", "T"}),
            "my_plugin.MyPlugin my-plugin T");
  EXPECT_EQ(with_names("my-plugi my", {"a", "b", "c"}), "my-plugi my");
}

// -- where it is written

class WriteProject : public ::testing::Test {
 protected:
  Failure refusal(const fs::path& directory) {
    return failure_of([&] { write_project(directory, files); });
  }

  const TemporaryDirectory here;
  const std::vector<ProjectFile> files{{"a", "text"}, {".b", ""}};
  const Contents written{{"a", "text"}, {".b", ""}};
};

TEST_F(WriteProject, MakesTheDirectory) {
  write_project(here.path() / "new", files);
  EXPECT_EQ(contents_of(here.path() / "new"), written);
}

TEST_F(WriteProject, TakesADirectoryThatIsEmpty) {
  fs::create_directory(here.path() / "empty");
  write_project(here.path() / "empty", files);
  EXPECT_EQ(contents_of(here.path() / "empty"), written);
}

TEST_F(WriteProject, RefusesADirectoryThatIsNot) {
  const fs::path full = here.path() / "full";
  fs::create_directories(full / "a");
  const Failure failure = refusal(full);
  EXPECT_EQ(failure.status(), ExitStatus::error);
  EXPECT_THAT(failure.what(), HasSubstr("could not make the project \"" + full.native() + "\": "));
  EXPECT_THAT(failure.what(), HasSubstr("not empty, it has \"a\""));
  EXPECT_THAT(failure.hint(), HasSubstr("--directory"));
  EXPECT_EQ(contents_of(full), (Contents{{"a", ""}}));
}

TEST_F(WriteProject, RefusesWhatIsNoDirectory) {
  std::ofstream(here.path() / "file") << "mine";
  fs::create_symlink(here.path() / "nowhere", here.path() / "link");
  for (const char* name : {"file", "link"}) {
    EXPECT_THAT(refusal(here.path() / name).what(), HasSubstr("there is something of this name")) << name;
  }
  EXPECT_EQ(contents_of(here.path()), (Contents{{"file", "mine"}, {"link", ""}}));
}

TEST_F(WriteProject, SaysThatTheDirectoryAroundItIsMissing) {
  const Failure failure = refusal(here.path() / "not/there");
  EXPECT_THAT(failure.what(), HasSubstr("no such file or directory"));
  EXPECT_THAT(failure.hint(), HasSubstr("mkdir -p"));
  EXPECT_THAT(contents_of(here.path()), IsEmpty());
}

TEST_F(WriteProject, LeavesNothingBehindWhereAFileCannotBeWritten) {
  const std::vector<ProjectFile> faulty{{"a", "text"}, {"not/there", ""}};
  fs::create_directory(here.path() / "empty");
  for (const char* name : {"new", "empty"}) {
    const Failure failure = failure_of([&] { write_project(here.path() / name, faulty); });
    EXPECT_THAT(failure.what(), HasSubstr("not/there\": no such file or directory")) << name;
  }
  EXPECT_EQ(contents_of(here.path()), (Contents{{"empty", ""}}));
  EXPECT_THAT(contents_of(here.path() / "empty"), IsEmpty());
}

TEST_F(WriteProject, NeverWritesIntoAFileThatIsThere) {
  const std::vector<ProjectFile> twice{{"a", "first"}, {"a", "second"}};
  const Failure failure = failure_of([&] { write_project(here.path() / "new", twice); });
  EXPECT_THAT(failure.what(), HasSubstr("new/a\": file exists"));
}

}  // namespace
}  // namespace busbar::cli
