// What is heard of a directory.
#include "plugins/watch/directory_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <fstream>

#include "support/temporary_folder.hpp"

namespace busbar::host {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;

using Event = DirectoryWatch::Event;

auto of(const std::string& name, Change change) {
  return AllOf(Field(&Event::name, name), Field(&Event::change, change));
}
auto of_all() { return Field(&Event::name, ""); }

void write(const fs::path& file, const std::string& text = "x") { std::ofstream(file) << text; }

class DirectoryWatchTest : public ::testing::Test {
 protected:
  DirectoryWatchTest() { fs::create_directory(plugins_); }

  const busbar::testing::TemporaryFolder scratch_;
  const fs::path plugins_ = scratch_.path() / "plugins";
};

TEST_F(DirectoryWatchTest, HearsWhoIsDoneAndWhoIsNot) {
  DirectoryWatch watch(plugins_, WatchMode::inotify);
  EXPECT_FALSE(watch.polls());
  EXPECT_EQ(watch.interval(), DirectoryWatch::kRescanInterval);
  EXPECT_THAT(watch.read(), IsEmpty());
  std::ofstream file(plugins_ / "a.so");
  file << "half" << std::flush;
  const auto begun = watch.read();
  EXPECT_THAT(begun, Contains(of("a.so", Change::other)));
  EXPECT_THAT(begun, Not(Contains(of("a.so", Change::finished))));
  file.close();
  pollfd readable{watch.descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 0), 1);
  EXPECT_THAT(watch.read(), Contains(of("a.so", Change::finished)));
  fs::permissions(plugins_ / "a.so", fs::perms::owner_read);
  EXPECT_THAT(watch.read(), Each(of("a.so", Change::attributes)));
  write(scratch_.path() / "b");
  watch.read();
  fs::rename(scratch_.path() / "b", plugins_ / "b.so");
  EXPECT_THAT(watch.read(), Each(of("b.so", Change::finished)));
  fs::remove(plugins_ / "b.so");
  EXPECT_THAT(watch.read(), Each(of("b.so", Change::other)));
}

TEST_F(DirectoryWatchTest, FollowsADirectoryThatIsReplaced) {
  DirectoryWatch watch(plugins_, WatchMode::automatic);
  fs::create_directory(scratch_.path() / "next");
  fs::rename(plugins_, scratch_.path() / "before");
  fs::rename(scratch_.path() / "next", plugins_);
  EXPECT_THAT(watch.read(), Contains(of_all()));
  EXPECT_TRUE(watch.follow());
  EXPECT_FALSE(watch.follow());
  write(plugins_ / "a.so");
  EXPECT_THAT(watch.read(), Contains(of("a.so", Change::finished)));
  write(scratch_.path() / "before" / "b.so");
  EXPECT_THAT(watch.read(), IsEmpty());
}

TEST_F(DirectoryWatchTest, FollowsASymlinkThatIsReplaced) {
  fs::create_directory(scratch_.path() / "next");
  const fs::path link = scratch_.path() / "current";
  fs::create_directory_symlink(plugins_, link);
  DirectoryWatch watch(link, WatchMode::inotify);
  fs::create_directory_symlink(scratch_.path() / "next", scratch_.path() / "new-link");
  watch.read();
  fs::rename(scratch_.path() / "new-link", link);
  EXPECT_THAT(watch.read(), Contains(of_all()));
  EXPECT_TRUE(watch.follow());
  write(link / "a.so");
  EXPECT_THAT(watch.read(), Contains(of("a.so", Change::finished)));
}

TEST_F(DirectoryWatchTest, WaitsForADirectoryThatIsNotThere) {
  fs::remove(plugins_);
  DirectoryWatch watch(plugins_, WatchMode::inotify);
  EXPECT_FALSE(watch.polls());
  EXPECT_FALSE(watch.follow());
  fs::create_directory(plugins_);
  EXPECT_THAT(watch.read(), Contains(of_all()));
  EXPECT_TRUE(watch.follow());
  write(plugins_ / "a.so");
  EXPECT_THAT(watch.read(), Contains(of("a.so", Change::finished)));
}

TEST_F(DirectoryWatchTest, ADirectoryThatIsTakenAwayAndMadeAnewIsAnotherOne) {
  DirectoryWatch watch(plugins_, WatchMode::inotify);
  fs::remove(plugins_);
  EXPECT_THAT(watch.read(), Contains(of_all()));
  EXPECT_TRUE(watch.follow());
  EXPECT_FALSE(watch.follow());
  fs::create_directory(plugins_);
  EXPECT_THAT(watch.read(), Contains(of_all()));
  EXPECT_TRUE(watch.follow());
  write(plugins_ / "a.so");
  EXPECT_THAT(watch.read(), Contains(of("a.so", Change::finished)));
}

// Its queue has room for fs.inotify.max_queued_events, 16,384 by default.
TEST_F(DirectoryWatchTest, SaysThatEventsWereLost) {
  int most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  ASSERT_GT(most, 0);
  DirectoryWatch watch(plugins_, WatchMode::inotify);
  // In turns: what repeats the last event of the queue is not added to it.
  std::ofstream one(plugins_ / "one.so"), other(plugins_ / "other.so");
  for (int i = 0; i <= most / 2; ++i) {
    one << 'x' << std::flush;
    other << 'x' << std::flush;
  }
  EXPECT_THAT(watch.read(), Contains(of_all()));
  write(plugins_ / "a.so");
  EXPECT_THAT(watch.read(), Contains(of("a.so", Change::finished))) << "and hears on";
}

TEST_F(DirectoryWatchTest, PollsWhereThatIsWanted) {
  DirectoryWatch watch(plugins_, WatchMode::poll);
  EXPECT_TRUE(watch.polls());
  EXPECT_EQ(watch.descriptor(), -1);
  EXPECT_EQ(watch.interval(), DirectoryWatch::kPollInterval);
  EXPECT_EQ(watch.why(), "");
  write(plugins_ / "a.so");
  EXPECT_THAT(watch.read(), IsEmpty());
}

TEST_F(DirectoryWatchTest, PollsWhereTheFileSystemDoesNotTellOfAllThatChanges) {
  EXPECT_FALSE(file_system_kind(0x6969).tells);
  EXPECT_FALSE(file_system_kind(static_cast<long>(0xFF534D42)).tells);
  EXPECT_FALSE(file_system_kind(0x65735546).tells);
  EXPECT_TRUE(file_system_kind(0xEF53).tells) << "ext4";
  EXPECT_TRUE(file_system_kind(0x01021994).tells) << "tmpfs";
  EXPECT_TRUE(file_system_kind(0x794C7630).tells) << "overlay, of what is done through it";
}

TEST_F(DirectoryWatchTest, PollsWhereThereIsNoDescriptorLeft) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{0, limit.rlim_max};
  const fs::path directory = plugins_;  // without descriptors a sanitizer cannot look whose member that is
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const DirectoryWatch watch(directory, WatchMode::inotify);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(watch.polls());
  EXPECT_THAT(watch.why(), ::testing::HasSubstr("Too many open files"));
}

}  // namespace
}  // namespace busbar::host
