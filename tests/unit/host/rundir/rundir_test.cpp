#include "rundir/rundir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace busbar::host {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class DirectoryLockTest : public ::testing::Test {
 protected:
  DirectoryLockTest() {
    std::string name = (fs::temp_directory_path() / "busbar_rundir_XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    run_ = root_ / "run";
  }
  ~DirectoryLockTest() override { fs::remove_all(root_); }

  DirectoryLock acquire(std::string_view node = "a") { return DirectoryLock::acquire(run_, "run directory", node); }

  std::string refusal() {
    try {
      const DirectoryLock lock = acquire("late");
    } catch (const DirectoryError& error) {
      return error.what();
    }
    return "acquired";
  }

  mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  std::string lock_text() {
    std::ostringstream text;
    text << std::ifstream(run_ / "lock").rdbuf();
    return text.str();
  }

  fs::path root_;
  fs::path run_;
};

/// A process that holds the directory as node "other" until it is killed.
class Holder {
 public:
  explicit Holder(const fs::path& directory) {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const DirectoryLock lock = DirectoryLock::acquire(directory, "run directory", "other");
      [[maybe_unused]] const auto told = ::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char told = 0;
    ::close(ready[1]);
    EXPECT_EQ(::read(ready[0], &told, 1), 1) << "the holder could not take the directory";
    ::close(ready[0]);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { kill(); }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST_F(DirectoryLockTest, CreatesTheDirectoryAndItsParentsForTheirOwnerAlone) {
  run_ = root_ / "deep" / "er" / "run";
  const DirectoryLock lock = acquire();
  EXPECT_EQ(mode_of(run_), 0700U);
  EXPECT_EQ(mode_of(root_ / "deep"), 0700U);
  EXPECT_EQ(mode_of(run_ / "lock"), 0600U);
  EXPECT_EQ(lock.path(), run_);
  EXPECT_FALSE(lock.taken_over_from());
}

TEST_F(DirectoryLockTest, SaysInTheFileWhoHoldsIt) {
  const DirectoryLock lock = acquire("a");
  EXPECT_THAT(lock_text(), StartsWith("{\"pid\":" + std::to_string(::getpid()) + ",\"node\":\"a\",\"since\":\"20"));
}

TEST_F(DirectoryLockTest, RefusesADirectoryThatALiveHostHoldsAndNamesIt) {
  const Holder holder(run_);
  EXPECT_EQ(refusal(), "run directory \"" + run_.string() + "\" is held by node \"other\" (process " +
                           std::to_string(holder.pid()) + ")");
}

TEST_F(DirectoryLockTest, RefusesADirectoryThatThisProcessHoldsAlready) {
  const DirectoryLock lock = acquire("a");
  EXPECT_THAT(refusal(), HasSubstr("is held by node \"a\" (process " + std::to_string(::getpid()) + ")"));
}

TEST_F(DirectoryLockTest, TakesOverFromAKilledHolderAndSaysFromWhom) {
  Holder holder(run_);
  const pid_t killed = holder.pid();
  holder.kill();
  const DirectoryLock lock = acquire("a");
  ASSERT_TRUE(lock.taken_over_from());
  EXPECT_EQ(lock.taken_over_from()->node, "other");
  EXPECT_EQ(lock.taken_over_from()->pid, killed);
  EXPECT_THAT(lock.taken_over_from()->since, StartsWith("20"));
  EXPECT_THAT(lock_text(), HasSubstr("\"node\":\"a\""));
}

TEST_F(DirectoryLockTest, IsFreeAgainAfterAnOrderlyEnd) {
  { const DirectoryLock lock = acquire("a"); }
  const DirectoryLock lock = acquire("b");
  EXPECT_FALSE(lock.taken_over_from());
}

TEST_F(DirectoryLockTest, MovesWithoutLettingGo) {
  DirectoryLock first = acquire("a");
  DirectoryLock second = std::move(first);
  EXPECT_THAT(refusal(), HasSubstr("is held by"));
  run_ = root_ / "elsewhere";
  second = acquire("a");
  run_ = root_ / "run";
  EXPECT_EQ(refusal(), "acquired") << "what was assigned over is given back";
}

TEST_F(DirectoryLockTest, IsNotInheritedByAProgramThatIsStarted) {
  std::optional<DirectoryLock> lock = acquire("a");
  int started[2];
  ASSERT_EQ(::pipe2(started, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("sleep", "sleep", "600", nullptr);
    ::_exit(127);
  }
  ::close(started[1]);
  char none = 0;
  EXPECT_EQ(::read(started[0], &none, 1), 0) << "ends when the child has become another program";
  ::close(started[0]);
  lock.reset();
  EXPECT_EQ(refusal(), "acquired");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(DirectoryLockTest, SaysSoWhenTheNamedHolderIsGoneButTheLockIsNot) {
  int done[2];
  ASSERT_EQ(::pipe2(done, O_CLOEXEC), 0);
  // The middle process takes the lock, leaves a forked child holding it, and ends without an orderly end.
  const pid_t middle = ::fork();
  if (middle == 0) {
    const DirectoryLock lock = DirectoryLock::acquire(run_, "run directory", "forker");
    if (const pid_t child = ::fork(); child != 0) {
      [[maybe_unused]] const auto told = ::write(done[1], &child, sizeof child);
      ::_exit(0);
    }
    for (;;) ::pause();
  }
  pid_t child = 0;
  ASSERT_EQ(::read(done[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ::waitpid(middle, nullptr, 0);
  EXPECT_THAT(refusal(), HasSubstr("is held by node \"forker\" (process " + std::to_string(middle) +
                                   ", which has ended or cannot be seen from here"));
  ::kill(child, SIGKILL);
  ::close(done[0]);
  ::close(done[1]);
}

TEST_F(DirectoryLockTest, RefusesASymlinkAlsoWithASlashBehindIt) {
  fs::create_directory(root_ / "real");
  fs::permissions(root_ / "real", fs::perms::owner_all);
  fs::create_directory_symlink(root_ / "real", run_);
  const std::string expected =
      "could not use run directory \"" + run_.string() + "\": found a symlink, expected a directory";
  EXPECT_EQ(refusal(), expected);
  run_ += "/";
  EXPECT_EQ(refusal(), expected);
}

TEST_F(DirectoryLockTest, RefusesAFile) {
  std::ofstream(run_) << "x";
  EXPECT_THAT(refusal(), HasSubstr("found a file, expected a directory"));
}

TEST_F(DirectoryLockTest, RefusesADirectoryBelowAFile) {
  std::ofstream(root_ / "file") << "x";
  run_ = root_ / "file" / "run";
  EXPECT_THAT(refusal(), HasSubstr("not a directory"));
}

TEST_F(DirectoryLockTest, RefusesADirectoryThatOthersCanWrite) {
  fs::create_directory(run_);
  ASSERT_EQ(::chmod(run_.c_str(), 0770), 0);
  EXPECT_THAT(refusal(), HasSubstr("its mode 0770 lets other users write into it, expected 0700"));
  ASSERT_EQ(::chmod(run_.c_str(), 0707), 0);
  EXPECT_THAT(refusal(), HasSubstr("its mode 0707"));
  ASSERT_EQ(::chmod(run_.c_str(), 0755), 0);
  EXPECT_EQ(refusal(), "acquired") << "reading a directory of sockets and copies that are 0600 does no harm";
}

TEST_F(DirectoryLockTest, RefusesADirectoryOfAnotherUser) {
  if (::geteuid() == 0) {
    fs::create_directory(run_);
    ASSERT_EQ(::chown(run_.c_str(), 12345, 12345), 0);
    EXPECT_THAT(refusal(), HasSubstr("it belongs to user 12345, expected user 0"));
  } else {
    run_ = "/";
    EXPECT_THAT(refusal(), HasSubstr("it belongs to user 0, expected user "));
  }
}

TEST_F(DirectoryLockTest, RefusesALockFileThatIsASymlink) {
  fs::create_directory(run_);
  fs::permissions(run_, fs::perms::owner_all);
  std::ofstream(root_ / "precious") << "keep";
  fs::create_symlink(root_ / "precious", run_ / "lock");
  EXPECT_THAT(refusal(), HasSubstr("could not open its lock file"));
  EXPECT_EQ(fs::file_size(root_ / "precious"), 4U);
}

TEST_F(DirectoryLockTest, TakesOverALockFileThatIsHalfWrittenOrNonsense) {
  fs::create_directory(run_);
  fs::permissions(run_, fs::perms::owner_all);
  for (const char* text : {"{\"pid\":12", "[]", "{\"pid\":\"x\",\"node\":7}", "\xff", "{\"pid\":1e300}"}) {
    std::ofstream(run_ / "lock") << text;
    const DirectoryLock lock = acquire("a");
    ASSERT_TRUE(lock.taken_over_from()) << text;
    EXPECT_EQ(lock.taken_over_from()->pid, 0) << text;
    EXPECT_EQ(lock.taken_over_from()->node, "") << text;
  }
}

TEST_F(DirectoryLockTest, NamesNobodyWhenAHolderLeftNoName) {
  fs::create_directory(run_);
  fs::permissions(run_, fs::perms::owner_all);
  const DirectoryLock lock = acquire("a");
  fs::resize_file(run_ / "lock", 0);
  EXPECT_THAT(refusal(), HasSubstr("is held by another host, which has left no name in its lock file"));
}

TEST(AdminSocketPath, IsInTheRunDirectory) { EXPECT_EQ(admin_socket_path("/run/busbar"), "/run/busbar/busbar.sock"); }

TEST(AdminSocketPath, FitsASocketAddressToTheByte) {
  const std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  const fs::path fits = "/" + std::string(longest - std::string("//busbar.sock").size(), 'd');
  EXPECT_EQ(admin_socket_path(fits).native().size(), longest);
  try {
    admin_socket_path(fits.native() + "d");
    ADD_FAILURE() << "accepted a path that is too long";
  } catch (const DirectoryError& error) {
    EXPECT_THAT(error.what(), StartsWith("could not use run directory \"/ddd"));
    EXPECT_THAT(error.what(), HasSubstr("the path of its socket has 108 bytes, expected at most 107"));
  }
}

}  // namespace
}  // namespace busbar::host
