#include "cli/dev/cmake_project.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class CMakeProjectTest : public ::testing::Test {
 protected:
  void SetUp() override { write("CMakeLists.txt", ""); }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((directory.path() / file).parent_path());
    std::ofstream(directory.path() / file) << text;
  }
  void answer(const std::string& file, const std::string& json) const {
    write("build/dev/.cmake/api/v1/reply/" + file, json);
  }
  CMakeProject project() const { return CMakeProject(directory.path()); }
  std::vector<std::string> configured_with(std::map<std::string, std::string> variables) const {
    return project().configure_command([&](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
  }

  const TemporaryDirectory directory;
};

TEST_F(CMakeProjectTest, IsConfiguredForDebuggersUnlessItIsSaidOtherwise) {
  EXPECT_THAT(configured_with({}), Contains("-DCMAKE_BUILD_TYPE=Debug"));
  EXPECT_THAT(configured_with({{"CMAKE_BUILD_TYPE", "Release"}}), Not(Contains(HasSubstr("CMAKE_BUILD_TYPE"))));
  write("build/dev/CMakeCache.txt", "");
  EXPECT_THAT(configured_with({}), Not(Contains(HasSubstr("CMAKE_BUILD_TYPE"))));
}

TEST_F(CMakeProjectTest, IsBuiltByNinjaWhereThereIsOneUnlessItIsSaidOtherwise) {
  EXPECT_THAT(configured_with({}), Not(Contains("-GNinja")));
  write("programs/ninja", "");
  fs::permissions(directory.path() / "programs/ninja", fs::perms::owner_all);
  const std::string path = "/nowhere:" + (directory.path() / "programs").native();
  EXPECT_THAT(configured_with({{"PATH", path}}), Contains("-GNinja"));
  EXPECT_THAT(configured_with({{"PATH", path}, {"CMAKE_GENERATOR", "Unix Makefiles"}}), Not(Contains("-GNinja")));
}

TEST_F(CMakeProjectTest, HasTheLibrariesThatCMakeNamesInItsNewestAnswer) {
  EXPECT_FALSE(project().is_configured());
  write("build/dev/CMakeCache.txt", "");
  EXPECT_FALSE(project().is_configured());
  answer("index-1.json", "it is of an earlier run");
  answer("index-2.json", R"({"reply": {"codemodel-v2": {"jsonFile": "model.json"}}})");
  answer("model.json", R"({"configurations": [{"targets": [{"jsonFile": "z.json"}, {"jsonFile": "a.json"},
                           {"jsonFile": "test.json"}, {"jsonFile": "static.json"}]}]})");
  answer("z.json", R"({"name": "z", "type": "MODULE_LIBRARY", "artifacts": [{"path": "plugins/last.so"}]})");
  answer("a.json", R"({"name": "a", "type": "SHARED_LIBRARY", "artifacts": [{"path": "/elsewhere/first.so"}]})");
  answer("test.json", R"({"name": "test", "type": "EXECUTABLE", "artifacts": [{"path": "test"}]})");
  answer("static.json", R"({"name": "static", "type": "STATIC_LIBRARY", "artifacts": [{"path": "libstatic.a"}]})");
  EXPECT_TRUE(project().is_configured());
  const fs::path tree = fs::canonical(directory.path()) / "build/dev";
  const auto libraries = project().libraries();
  EXPECT_EQ(libraries, (std::vector<BuiltLibrary>{{"a", "/elsewhere/first.so"}, {"z", tree / "plugins/last.so"}}));
  const auto command = project().build_command(libraries);
  EXPECT_THAT(std::vector<std::string>(std::find(command.begin(), command.end(), "--target"), command.end()),
              ElementsAre("--target", "a", "z"));
}

TEST_F(CMakeProjectTest, SaysWhatItCannotRead) {
  for (const char* json : {"no JSON", "{}", R"({"reply": {"codemodel-v2": {"jsonFile": "gone.json"}}})"}) {
    answer("index-1.json", json);
    const Failure failure = failure_of([&] { project().libraries(); });
    EXPECT_THAT(failure.what(), HasSubstr("could not read what CMake says of the project in \"")) << json;
    EXPECT_THAT(failure.hint(), HasSubstr("remove the build tree")) << json;
  }
}

TEST_F(CMakeProjectTest, AsksForTheLibraries) {
  project().ask_for_libraries();
  EXPECT_TRUE(fs::exists(directory.path() / "build/dev/.cmake/api/v1/query/codemodel-v2"));
  fs::remove_all(directory.path() / "build");
  write("build", "a file where the build tree is to be");
  EXPECT_THAT(failure_of([&] { project().ask_for_libraries(); }).what(),
              HasSubstr("could not write to the build tree"));
}

TEST(IsBuildDescription, IsWhatCMakeReads) {
  for (const char* file : {"/p/CMakeLists.txt", "/p/cmake/x.cmake", "/p/CMakePresets.json"}) {
    EXPECT_TRUE(is_build_description(file)) << file;
  }
  EXPECT_FALSE(is_build_description("/p/router.cpp"));
}

}  // namespace
}  // namespace busbar::cli
