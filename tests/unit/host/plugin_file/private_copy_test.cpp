#include "plugins/file/private_copy.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "support.hpp"

namespace busbar::host {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class PrivateCopies : public ::testing::Test {
 protected:
  PrivateCopies() {
    prepare_cache_directory(cache_);
    testing::write_text(source_, "content");
  }
  PrivateCopy copy(const std::string& name = "greeter", std::uint64_t generation = 1) {
    return make_private_copy(source_, cache_, name, generation);
  }
  template <class Action>
  static std::string error_of(Action action) {
    try {
      action();
    } catch (const CopyError& e) {
      return e.what();
    }
    return "no error";
  }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(cache_), {}));
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path cache_ = folder_ / "cache";
  std::filesystem::path source_ = folder_ / "greeter.so";
};

TEST_F(PrivateCopies, HaveTheContentAndANameThatTellsPluginAndGeneration) {
  const PrivateCopy made = copy("greeter", 12);
  EXPECT_EQ(testing::read_bytes(made.path()), testing::read_bytes(source_));
  EXPECT_THAT(made.path().filename().string(), MatchesRegex("greeter-12-[0-9a-f]{16}\\.so"));
  EXPECT_TRUE(made.path().is_absolute());
  EXPECT_EQ(made.digest().size(), 64U);
  EXPECT_THAT(made.path().string(), HasSubstr(made.digest().substr(0, 16)));
  EXPECT_EQ(made.digest(), digest_of(source_));
  EXPECT_EQ(made.original().size, 7U);
}

TEST_F(PrivateCopies, HaveTheDigestThatOtherToolsTell) {
  testing::write_text(source_, "abc");  // as b2sum -l 256 prints it
  EXPECT_EQ(copy().digest(), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

// L10
TEST_F(PrivateCopies, CanBeReadByNobodyElseAndWrittenByNobody) {
  const PrivateCopy made = copy();
  struct stat facts {};
  ASSERT_EQ(stat(made.path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0500U);
  struct stat original {};
  ASSERT_EQ(stat(source_.c_str(), &original), 0);
  EXPECT_NE(facts.st_ino, original.st_ino);
}

// L3
TEST_F(PrivateCopies, NeverGetANameTwice) {
  std::set<std::string> names;
  for (int i = 0; i < 5; ++i) {
    const PrivateCopy made = copy();
    EXPECT_TRUE(names.insert(made.path().string()).second) << made.path();
  }
}

TEST_F(PrivateCopies, AreGoneWithTheirOwner) {
  {
    PrivateCopy first = copy();
    PrivateCopy second = std::move(first);
    EXPECT_EQ(count(), 1U);
    second = copy();
    EXPECT_EQ(count(), 1U);
    EXPECT_TRUE(std::filesystem::exists(second.path()));
  }
  EXPECT_EQ(count(), 0U);
}

TEST_F(PrivateCopies, HaveHarmlessNames) {
  EXPECT_THAT(copy("../../etc/x y\n").path().filename().string(), MatchesRegex("_\\._\\.\\._etc_x_y_-1-.*"));
  EXPECT_EQ(copy("..").path().parent_path(), cache_);
  EXPECT_THAT(copy("").path().filename().string(), MatchesRegex("plugin-1-.*"));
}

TEST_F(PrivateCopies, CannotBeMadeOfWhatIsNoFile) {
  std::filesystem::remove(source_);
  EXPECT_THAT(error_of([&] { copy(); }), HasSubstr("No such file"));
  std::filesystem::create_directory(source_);
  EXPECT_THAT(error_of([&] { copy(); }), HasSubstr("is not a regular file"));
  EXPECT_EQ(count(), 0U);
}

// L1: while somebody writes, a copy is refused for now, or is one state of the file as a whole.
TEST_F(PrivateCopies, AreNeverHalfOfAFileThatIsBeingReplaced) {
  const std::string a(100'000, 'a');
  const std::string b(100'000, 'b');
  testing::write_text(source_, a);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (bool turn = false; !stop; turn = !turn) {
      testing::write_text(folder_ / "next", turn ? a : b);
      std::filesystem::rename(folder_ / "next", source_);
    }
  });
  for (int i = 0; i < 30; ++i) {
    try {
      const testing::Bytes bytes = testing::read_bytes(copy().path());
      EXPECT_TRUE(bytes == testing::Bytes(a.begin(), a.end()) || bytes == testing::Bytes(b.begin(), b.end()));
    } catch (const CopyError& e) {
      EXPECT_TRUE(e.retry());
      EXPECT_THAT(e.what(), HasSubstr("is still being written"));
    }
  }
  stop = true;
  writer.join();
  EXPECT_EQ(count(), 0U);
}

// L1
TEST_F(PrivateCopies, AreRefusedForNowWhileTheFileGrows) {
  std::atomic<bool> stop = false;
  std::atomic<bool> started = false;
  std::thread writer([&] {
    std::ofstream file(source_, std::ios::app);
    const std::string piece(1000, 'x');
    while (!stop) {
      file << piece << std::flush;
      started = true;
    }
  });
  while (!started) std::this_thread::yield();
  // A writer may pause for longer than a copy takes; sooner or later the two meet.
  bool refused = false;
  for (int i = 0; i < 1000 && !refused; ++i) {
    try {
      copy();
    } catch (const CopyError& e) {
      EXPECT_TRUE(e.retry());
      refused = true;
    }
  }
  stop = true;
  writer.join();
  EXPECT_TRUE(refused);
}

TEST_F(PrivateCopies, CacheDirectoryIsMadeForUsAlone) {
  const auto path = folder_ / "a" / "b" / "cache";
  prepare_cache_directory(path);
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700U);
  EXPECT_TRUE(std::filesystem::is_empty(path));
}

// L10
TEST_F(PrivateCopies, CacheDirectoryIsRefusedWhenOthersMayWriteThere) {
  ASSERT_EQ(chmod(cache_.c_str(), 0770), 0);
  EXPECT_THAT(error_of([&] { prepare_cache_directory(cache_); }), HasSubstr("has the mode 0770, expected 0700"));
}

// L10
TEST_F(PrivateCopies, CacheDirectoryIsRefusedWhenItIsNotOurs) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  ASSERT_EQ(chown(cache_.c_str(), 65534, 65534), 0);
  EXPECT_THAT(error_of([&] { prepare_cache_directory(cache_); }), HasSubstr("belongs to user 65534"));
}

// L10
TEST_F(PrivateCopies, CacheDirectoryIsRefusedWhenItIsASymlink) {
  std::filesystem::create_directory_symlink(cache_, folder_ / "link");
  EXPECT_THAT(error_of([&] { prepare_cache_directory(folder_ / "link"); }), HasSubstr("is a symlink"));
}

TEST_F(PrivateCopies, CacheDirectoryIsRefusedWhenRelative) {
  EXPECT_THAT(error_of([] { prepare_cache_directory("cache"); }), HasSubstr("is not an absolute path"));
}

// L9: in a child with mounts of its own, where the system lets us have that.
TEST_F(PrivateCopies, CacheDirectoryIsRefusedWhereNoCodeMayRun) {
  constexpr int kNotPossibleHere = 77;
  const auto result = folder_ / "result";
  const pid_t child = fork();
  if (child == 0) {
    const bool root = geteuid() == 0;
    if (unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", cache_.c_str(), "tmpfs", MS_NOEXEC, "mode=0700") != 0) {
      _exit(kNotPossibleHere);
    }
    testing::write_text(result, error_of([&] { prepare_cache_directory(cache_ / "inside"); }));
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == kNotPossibleHere) GTEST_SKIP() << "no mounts of our own here";
  const testing::Bytes error = testing::read_bytes(result);
  EXPECT_THAT(std::string(error.begin(), error.end()), HasSubstr("probably mounted noexec"));
}

TEST_F(PrivateCopies, OfAnEarlierProcessAreRemovedAndNothingElse) {
  for (const char* name : {"greeter-1-0123456789abcdef.so", "a-b-2-0123456789abcdef-2.so", ".unfinished-12-1",
                           ".probe-12-1", "notes.txt", "precious.so", "greeter-1-short.so"}) {
    testing::write_text(cache_ / name, "x");
  }
  std::filesystem::create_directory(cache_ / "x-1-0123456789abcdef.so");
  EXPECT_EQ(empty_cache_directory(cache_), 4U);
  EXPECT_EQ(count(), 4U);
}

}  // namespace
}  // namespace busbar::host
