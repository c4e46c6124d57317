#include "cli/dev/source_watch.hpp"

#include <poll.h>

#include <fstream>
#include <optional>
#include <set>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Names = std::set<std::string>;

class SourceWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(top / "src/deep");
    fs::create_directories(top / ".git");
    fs::create_directories(top / "build/dev");
    fs::create_directories(top / "other-build");
    save("other-build/CMakeCache.txt");
    watch.emplace(top);
  }
  void save(const std::string& file) const { std::ofstream(top / file) << "saved\n"; }

  /// What has changed since the last time, below the top. inotify tells of it before the writer goes on.
  Names changed() {
    Names out;
    for (const fs::path& file : watch->changes()) out.insert(file.lexically_relative(top).native());
    return out;
  }

  const TemporaryDirectory directory;
  const fs::path top = directory.path();
  std::optional<SourceWatch> watch;
};

TEST_F(SourceWatchTest, TellsOfNothingWhereNothingWasSaved) { EXPECT_EQ(changed(), Names{}); }

TEST_F(SourceWatchTest, TellsOfFilesThatAreWrittenMovedAndRemoved) {
  save("CMakeLists.txt");
  save("src/deep/a.cpp");
  pollfd readable{watch->descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 0), 1);
  EXPECT_EQ(changed(), (Names{"CMakeLists.txt", "src/deep/a.cpp"}));
  EXPECT_EQ(changed(), Names{});
  fs::rename(top / "src/deep/a.cpp", top / "src/b.cpp");
  EXPECT_EQ(changed(), (Names{"src/deep/a.cpp", "src/b.cpp"}));
  fs::remove(top / "src/b.cpp");
  EXPECT_EQ(changed(), Names{"src/b.cpp"});
  fs::create_symlink("CMakeLists.txt", top / "link.cpp");
  EXPECT_EQ(changed(), Names{"link.cpp"});
}

TEST_F(SourceWatchTest, PassesOverBuildTreesAndWhatIsHidden) {
  for (const char* file : {".git/index", ".hidden", "build/a.o", "build/dev/b.o", "other-build/c.o"}) save(file);
  EXPECT_EQ(changed(), Names{});
  fs::create_directories(top / "src/build");  // a name that has its meaning at the top alone
  save("src/build/a.cpp");
  EXPECT_EQ(changed(), Names{"src/build/a.cpp"});
}

TEST_F(SourceWatchTest, PassesOverADirectoryThatBecomesABuildTree) {
  fs::create_directories(top / "later/within");
  EXPECT_EQ(changed(), Names{});
  save("later/CMakeCache.txt");
  save("later/within/a.o");
  EXPECT_EQ(changed(), Names{});
}

TEST_F(SourceWatchTest, PassesOverWhatEditorsLeave) {
  for (const char* name :
       {"a.cpp~", "#a.cpp#", ".a.cpp.swp", "4913", "a.cpp___jb_tmp___", "a.bak", "a.orig", "a.tmp"}) {
    save(name);
    EXPECT_EQ(changed(), Names{}) << name;
  }
  EXPECT_FALSE(is_passed_over("a.cpp"));
}

// As vim and others save: what they have written takes the file's name.
TEST_F(SourceWatchTest, TellsOfAFileThatTakesThePlaceOfAnother) {
  save("src/a.cpp");
  changed();
  save("src/a.cpp~");
  fs::rename(top / "src/a.cpp~", top / "src/a.cpp");
  EXPECT_EQ(changed(), Names{"src/a.cpp"});
}

TEST_F(SourceWatchTest, TellsOfWhatIsInDirectoriesThatAreMadeLater) {
  fs::create_directories(top / "new/deep");
  save("new/deep/before.cpp");  // before anybody has looked
  EXPECT_EQ(changed(), Names{"new/deep/before.cpp"});
  save("new/deep/after.cpp");
  EXPECT_EQ(changed(), Names{"new/deep/after.cpp"});
}

TEST_F(SourceWatchTest, FollowsDirectoriesThatAreMoved) {
  save("src/deep/a.cpp");
  changed();
  fs::rename(top / "src/deep", top / "moved");
  EXPECT_EQ(changed(), Names{"moved/a.cpp"});
  save("moved/a.cpp");
  EXPECT_EQ(changed(), Names{"moved/a.cpp"});
  const TemporaryDirectory elsewhere;
  fs::rename(top / "moved", elsewhere.path() / "moved");
  changed();
  std::ofstream(elsewhere.path() / "moved/a.cpp") << "saved\n";
  EXPECT_EQ(changed(), Names{});
}

TEST_F(SourceWatchTest, GoesOnWhereADirectoryIsRemovedAndMadeAgain) {
  fs::remove_all(top / "src");
  changed();
  fs::create_directories(top / "src");
  changed();
  save("src/a.cpp");
  EXPECT_EQ(changed(), Names{"src/a.cpp"});
}

TEST(SourceWatch, SaysWhatItCannotWatch) {
  const TemporaryDirectory directory;
  EXPECT_THAT(failure_of([&] { SourceWatch watch(directory.path() / "nowhere"); }).what(),
              HasSubstr("nowhere\" for changes: no such file or directory"));
}

}  // namespace
}  // namespace busbar::cli
