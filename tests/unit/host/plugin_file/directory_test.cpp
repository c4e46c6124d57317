#include "plugins/file/directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "support.hpp"

namespace busbar::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Root may read everything; what is unreadable is shown to be so as somebody else.
class AsNobody {
 public:
  AsNobody() : was_(geteuid()) {
    if (was_ == 0) changed_ = seteuid(65534) == 0;
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (changed_ && seteuid(was_) != 0) std::abort();
  }

 private:
  uid_t was_;
  bool changed_ = false;
};

class PluginDirectory : public ::testing::Test {
 protected:
  PluginDirectory() { mode(0755); }

  void mode(mode_t bits) { ASSERT_EQ(chmod(folder_.path().c_str(), bits), 0); }
  void file(const std::string& name) { testing::write_text(folder_ / name, "x"); }
  DirectoryListing list(const DirectoryRules& rules = {}) { return list_plugin_directory(folder_.path(), rules); }
  std::string why(const std::string& name) {
    for (const PluginCandidate& candidate : list().candidates) {
      if (candidate.file_name == name) return candidate.unusable;
    }
    return "passed over";
  }

  testing::TemporaryFolder folder_;
};

TEST_F(PluginDirectory, GivesPluginsInByteOrderOfTheirNames) {
  for (const char* name : {"b.so", "a.so", "B.so", "a-1.so", "é.so"}) file(name);
  std::vector<std::string> names;
  for (const PluginCandidate& candidate : list().candidates) {
    EXPECT_TRUE(candidate.usable()) << candidate.unusable;
    EXPECT_EQ(candidate.path, folder_ / candidate.file_name);
    EXPECT_EQ(candidate.stamp.size, 1U);
    names.push_back(candidate.file_name);
  }
  EXPECT_THAT(names, ElementsAre("B.so", "a-1.so", "a.so", "b.so", "é.so"));
}

// L11
TEST_F(PluginDirectory, PassesOverWhatIsNoPluginByItsName) {
  for (const char* name : {".hidden.so", ".so", "p.so.tmp1", "p.so~", "stAbCdEf", "readme.txt", "p.SO"}) file(name);
  std::filesystem::create_directory(folder_ / "folder");
  EXPECT_THAT(list().candidates, IsEmpty());
  EXPECT_TRUE(list().ok());
}

TEST_F(PluginDirectory, FollowsSymlinksToFiles) {
  file("real");
  std::filesystem::create_symlink("real", folder_ / "link.so");
  EXPECT_EQ(why("link.so"), "");
  EXPECT_EQ(list().candidates.at(0).stamp.size, 1U);
}

TEST_F(PluginDirectory, SaysWhyANameCannotBeUsed) {
  std::filesystem::create_symlink("nowhere", folder_ / "dangling.so");
  std::filesystem::create_symlink("circle.so", folder_ / "circle.so");
  std::filesystem::create_directory(folder_ / "folder.so");
  std::filesystem::create_symlink("folder.so", folder_ / "link_to_folder.so");
  ASSERT_EQ(mkfifo((folder_ / "pipe.so").c_str(), 0600), 0);
  EXPECT_EQ(why("dangling.so"), "is a symlink to a file that does not exist");
  EXPECT_EQ(why("circle.so"), "is a symlink that leads back to itself");
  EXPECT_EQ(why("folder.so"), "is a directory");
  EXPECT_EQ(why("link_to_folder.so"), "is a directory");
  EXPECT_EQ(why("pipe.so"), "is not a regular file");
}

TEST_F(PluginDirectory, SaysThatAFileIsUnreadable) {
  file("secret.so");
  ASSERT_EQ(chmod((folder_ / "secret.so").c_str(), 0000), 0);
  const AsNobody nobody;
  EXPECT_EQ(why("secret.so"), "cannot be read: Permission denied");
}

TEST_F(PluginDirectory, IsAProblemWhenMissing) {
  const auto listing = list_plugin_directory(folder_ / "missing");
  EXPECT_THAT(listing.problem, HasSubstr("does not exist"));
}

TEST_F(PluginDirectory, IsAProblemWhenItIsAFile) {
  file("file");
  EXPECT_THAT(list_plugin_directory(folder_ / "file").problem, HasSubstr("is not a directory"));
}

TEST_F(PluginDirectory, IsAProblemWhenUnreadable) {
  mode(0000);
  std::string problem;
  {
    const AsNobody nobody;
    problem = list().problem;
  }
  mode(0755);
  EXPECT_THAT(problem, HasSubstr("cannot be read: Permission denied"));
}

// L10
TEST_F(PluginDirectory, IsRefusedWhenEverybodyCanWriteThere) {
  file("a.so");
  mode(0777);
  EXPECT_THAT(list().problem, HasSubstr("can be written by everybody"));
  EXPECT_THAT(list().candidates, IsEmpty());
}

// L10
TEST_F(PluginDirectory, CanBeAllowedToBeWrittenByEverybody) {
  file("a.so");
  mode(0777);
  const auto listing = list({.allow_writable_by_everybody = true});
  EXPECT_TRUE(listing.ok());
  EXPECT_THAT(listing.warnings, ElementsAre(HasSubstr("by everybody")));
  EXPECT_EQ(listing.candidates.size(), 1U);
}

// L10
TEST_F(PluginDirectory, IsWarnedOfWhenItsGroupCanWriteThere) {
  mode(0775);
  EXPECT_TRUE(list().ok());
  EXPECT_THAT(list().warnings, ElementsAre(HasSubstr("by its group")));
}

}  // namespace
}  // namespace busbar::host
