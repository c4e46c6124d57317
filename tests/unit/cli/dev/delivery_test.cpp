#include "cli/dev/delivery.hpp"

#include <fstream>
#include <iterator>

#include "cli/dev/plugin_note.hpp"
#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeliveryTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(plugins); }
  fs::path build(const std::string& name, const std::string& bytes) const {
    fs::create_directories((directory.path() / name).parent_path());
    std::ofstream(directory.path() / name) << bytes;
    return directory.path() / name;
  }
  std::string served(const std::string& name) const {
    std::ifstream file(plugins / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const TemporaryDirectory directory;
  const fs::path plugins = directory.path() / "plugins";
};

TEST_F(DeliveryTest, BringsWhatIsNewAndNothingThatIsTheSame) {
  const fs::path a = build("a.so", "one");
  const fs::path b = build("b.so", "two");
  EXPECT_THAT(deliver({a, b}, plugins).brought, ElementsAre("a.so", "b.so"));
  EXPECT_EQ(served("a.so"), "one");
  build("a.so", "six");  // of the same size
  build("b.so", "two");
  const Delivery second = deliver({a, b}, plugins);
  EXPECT_THAT(second.brought, ElementsAre("a.so"));
  EXPECT_THAT(second.taken_away, IsEmpty());
  EXPECT_EQ(served("a.so"), "six");
  build("a.so", "six and more");
  EXPECT_THAT(deliver({a, b}, plugins).brought, ElementsAre("a.so"));
}

TEST_F(DeliveryTest, PutsAnotherFileThereRatherThanWriteIntoTheOneThatServes) {
  const fs::path a = build("a.so", "one");
  deliver({a}, plugins);
  std::ifstream open(plugins / "a.so");
  build("a.so", "two");
  deliver({a}, plugins);
  std::string read;
  open >> read;
  EXPECT_EQ(read, "one");
  EXPECT_EQ(served("a.so"), "two");
}

TEST_F(DeliveryTest, TakesAwayWhatTheProjectDoesNotBuildAnyMore) {
  const fs::path a = build("a.so", "one");
  deliver({a, build("b.so", "two")}, plugins);
  EXPECT_THAT(deliver({a}, plugins).taken_away, ElementsAre("b.so"));
  EXPECT_EQ(served("b.so"), "");
}

TEST_F(DeliveryTest, RefusesTwoOfOneNameAndKeepsWhatIsThere) {
  const fs::path a = build("a.so", "one");
  deliver({a}, plugins);
  const Failure failure = failure_of([&] { deliver({build("x/a.so", "x"), build("y/a.so", "y")}, plugins); });
  EXPECT_THAT(failure.what(), HasSubstr("another of this name, \"" + (directory.path() / "x/a.so").native() + "\""));
  EXPECT_EQ(served("a.so"), "one");
}

TEST_F(DeliveryTest, SaysWhatIsMissing) {
  EXPECT_THAT(failure_of([&] { deliver({directory.path() / "nowhere.so"}, plugins); }).what(),
              HasSubstr("nowhere.so\" to the host: no such file or directory"));
  EXPECT_TRUE(fs::is_empty(plugins));
}

// -- which are plugins

TEST_F(DeliveryTest, PluginsAreToldFromOtherFiles) {
  EXPECT_TRUE(has_plugin_note(BUSBAR_A_PLUGIN));
  EXPECT_FALSE(has_plugin_note("/proc/self/exe")) << "a program, with notes of others";
  EXPECT_FALSE(has_plugin_note(build("text.so",
                                     "a text, and not a short one, so that it might have had a header"
                                     "if only it had been long enough")));
  EXPECT_FALSE(has_plugin_note(build("empty.so", "")));
  EXPECT_FALSE(has_plugin_note(directory.path() / "nowhere.so"));
}

TEST_F(DeliveryTest, AFileThatIsCutShortIsNone) {
  std::ifstream whole(BUSBAR_A_PLUGIN, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(whole), {});
  for (const std::size_t size : {20U, 64U, 100U, 300U}) {
    EXPECT_FALSE(has_plugin_note(build("cut.so", bytes.substr(0, size)))) << size;
  }
}

}  // namespace
}  // namespace busbar::cli
