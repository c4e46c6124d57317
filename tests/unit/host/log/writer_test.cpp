#include "log/writer.hpp"

#include "log/log.hpp"
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <numeric>
#include <sstream>
#include <thread>
#include <vector>

namespace busbar::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr seconds kLimit{60};

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A named pipe that holds a page; who logs to it is read from when the test says so.
class SmallPipe {
 public:
  SmallPipe() {
    EXPECT_EQ(::mkfifo(path().c_str(), 0600), 0);
    open();
    EXPECT_GT(::fcntl(reader_, F_SETPIPE_SZ, 4096), 0);
  }
  ~SmallPipe() { close(); }
  SmallPipe(const SmallPipe&) = delete;
  SmallPipe& operator=(const SmallPipe&) = delete;

  std::filesystem::path path() const { return folder_ / "pipe"; }
  void open() { reader_ = ::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }
  void close() {
    if (reader_ >= 0) ::close(reader_);
    reader_ = -1;
  }
  std::string read_once() {
    std::array<char, 65'536> buffer;
    pollfd there{reader_, POLLIN, 0};
    if (::poll(&there, 1, 10) <= 0) return {};
    const ssize_t count = ::read(reader_, buffer.data(), buffer.size());
    return count > 0 ? std::string(buffer.data(), static_cast<std::size_t>(count)) : std::string();
  }
  std::string read_until(const std::string& text) {
    EXPECT_GT(::fcntl(reader_, F_SETPIPE_SZ, 1024 * 1024), 0);  // a page at a time it takes long on a busy machine
    std::string all;
    const bool found = testing::eventually([&] {
      all += read_once();
      return all.find(text) != std::string::npos;
    });
    EXPECT_TRUE(found) << all.substr(0, 1'000);
    return all;
  }
  bool is_full() const {
    pollfd there{reader_, POLLIN, 0};
    return ::poll(&there, 1, 0) == 1;
  }

 private:
  busbar::testing::TemporaryFolder folder_;
  int reader_ = -1;
};

LogSettings to(const std::filesystem::path& file, LogFormat format = LogFormat::text) {
  LogSettings settings;
  settings.file = file;
  settings.format = format;
  return settings;
}

/// The sum of what lines say that was lost.
std::uint64_t told_lost(const std::vector<std::string>& lines) {
  std::uint64_t sum = 0;
  for (const std::string& line : lines) {
    const std::size_t at = line.find(" lost=");
    if (at != std::string::npos && line.find("host.log") != std::string::npos) sum += std::stoull(line.substr(at + 6));
  }
  return sum;
}

TEST(LogWriter, WritesLinesInTheirOrder) {
  const busbar::testing::TemporaryFolder folder;
  const Logs logs(to(folder / "log"));
  const Logger log = logs.get("x");
  for (int i = 0; i < 1'000; ++i) log.info("line " + std::to_string(i));
  ASSERT_TRUE(logs.flush(kLimit));
  const auto lines = lines_in(content_of(folder / "log"));
  ASSERT_EQ(lines.size(), 1'000U);
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_THAT(lines[i], EndsWith("x: line " + std::to_string(i)));
  EXPECT_EQ(logs.lines_dropped(), 0U);
}

TEST(LogWriter, LosesNothingBetweenThreadsAndAtItsEnd) {
  const busbar::testing::TemporaryFolder folder;
  {
    const Logs logs(to(folder / "log"));
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([log = logs.get("t" + std::to_string(thread))] {
        for (int i = 0; i < 500; ++i) log.info("n", {{"n", i}});
      });
    }
    for (auto& thread : threads) thread.join();
  }
  std::array<int, 4> next{};
  const auto lines = lines_in(content_of(folder / "log"));
  ASSERT_EQ(lines.size(), 2'000U);
  for (const std::string& line : lines) {
    const std::size_t at = line.find(" t");
    ASSERT_NE(at, std::string::npos) << line;
    int& expected = next.at(static_cast<std::size_t>(line[at + 2] - '0'));
    EXPECT_THAT(line, EndsWith(" n=" + std::to_string(expected++))) << "each thread's in its order";
  }
}

TEST(LogWriter, HoldsUpNobodyWhereNobodyReadsAndTellsWhatWasLostWhenSomebodyDoes) {
  SmallPipe pipe;
  const Logs logs(to(pipe.path()));
  const Logger log = logs.get("x");
  const std::string text(10'000, 'y');
  int logged = 0;
  while (logs.lines_dropped() < 10) {  // more than may wait; nothing here may wait for it
    log.info(text);
    ++logged;
    ASSERT_LT(logged, 100'000);
  }
  EXPECT_FALSE(logs.flush(milliseconds(1))) << "there is no room for it";
  const std::uint64_t lost = logs.lines_dropped();
  std::string read = pipe.read_until(" lost=");  // nothing was logged since: it is told all the same
  while (read.find('\n', read.find(" lost=")) == std::string::npos) read += pipe.read_once();
  const auto lines = lines_in(read);
  EXPECT_EQ(told_lost(lines), lost);
  EXPECT_EQ(lines.size() - 1 + lost, static_cast<std::size_t>(logged)) << "no line is lost that is not counted";
  EXPECT_EQ(logs.lines_dropped(), lost);
  log.info("after");
  EXPECT_THAT(pipe.read_until("after\n"), HasSubstr(" info  x: after\n"));
}

TEST(LogWriter, TellsWhatWasLostWhereItWasLost) {
  SmallPipe pipe;
  const Logs logs(to(pipe.path(), LogFormat::json));
  const Logger log = logs.get("x");
  while (logs.lines_dropped() == 0) log.info(std::string(10'000, 'y'));
  std::string read = pipe.read_until("\n");  // room for the next
  ASSERT_TRUE(testing::eventually([&] {
    read += pipe.read_once();
    log.warn("next");
    return read.find("\"next\"") != std::string::npos;
  }));
  while (!read.ends_with('\n')) read += pipe.read_once();
  const auto lines = lines_in(read);
  const auto lost = std::find_if(lines.begin(), lines.end(), [](const auto& line) {
    return line.find(R"("logger":"host.log")") != std::string::npos;
  });
  ASSERT_NE(lost, lines.end());
  EXPECT_THAT(*lost, ::testing::AllOf(HasSubstr(R"("level":"warn")"), HasSubstr(R"("lost":)")));
  for (auto line = lines.begin(); line != lost; ++line) EXPECT_THAT(*line, HasSubstr("yyy"));
}

TEST(LogWriter, DoesNotWaitForAReaderAtItsEndForLong) {
  SmallPipe pipe;
  std::uint64_t lost = 0;
  {
    Logs logs(to(pipe.path()));
    const Logger log = logs.get("x");
    for (int i = 0; i < 20; ++i) log.info(std::string(4'000, 'y'));
    ASSERT_TRUE(testing::eventually([&] { return pipe.is_full(); }));
    lost = logs.lines_dropped();
  }  // must come to its end
  EXPECT_EQ(lost, 0U) << "they waited";
}

// A full disk, and whatever else fails: the device says that there is no room for each write.
TEST(LogWriter, CountsWhatCannotBeWritten) {
  const Logs logs(to("/dev/full"));
  const Logger log = logs.get("x");
  for (int i = 0; i < 10; ++i) log.info("line");
  EXPECT_TRUE(logs.flush(kLimit));
  EXPECT_EQ(logs.lines_dropped(), 10U);
}

TEST(LogWriter, BeginsANewLineBehindOneThatWasCut) {
  SmallPipe pipe;
  const Logs logs(to(pipe.path()));
  const Logger log = logs.get("x");
  log.info(std::string(10'000, 'y'));  // more than the pipe holds
  ASSERT_TRUE(testing::eventually([&] { return pipe.is_full(); }));
  pipe.close();  // what is left of it cannot be written
  ASSERT_TRUE(testing::eventually([&] { return logs.lines_dropped() == 1; }));
  pipe.open();
  log.info("whole");
  const auto lines = lines_in(pipe.read_until("whole\n"));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], EndsWith("yyy"));
  EXPECT_THAT(lines[1], HasSubstr(" warn  host.log: "));
  EXPECT_THAT(lines[1], EndsWith(" lost=1"));
  EXPECT_THAT(lines[2], EndsWith("x: whole"));
}

TEST(LogWriter, GoesOnInANewFileWhenTheOldOneWasRenamed) {
  const busbar::testing::TemporaryFolder folder;
  const Logs logs(to(folder / "log"));
  const Logger log = logs.get("x");
  std::thread other([&] {
    for (int i = 0; i < 5'000; ++i) log.info("n", {{"n", i}});
  });
  log.info("first");
  ASSERT_TRUE(logs.flush(kLimit));
  std::filesystem::rename(folder / "log", folder / "log.1");
  logs.reopen();
  log.info("second");
  other.join();
  ASSERT_TRUE(logs.flush(kLimit));
  const std::string old = content_of(folder / "log.1");
  const std::string young = content_of(folder / "log");
  EXPECT_THAT(old, HasSubstr("x: first\n"));
  EXPECT_THAT(young, HasSubstr("x: second\n"));
  int next = 0;
  for (const std::string& line : lines_in(old + young)) {
    if (line.find(" n=") == std::string::npos) continue;
    EXPECT_THAT(line, EndsWith("x: n n=" + std::to_string(next++)));
  }
  EXPECT_EQ(next, 5'000) << "in one of the two, once, in their order";
}

TEST(LogWriter, GoesOnWithTheOldFileWhereTheNewOneCannotBeOpened) {
  const busbar::testing::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "logs");
  const Logs logs(to(folder / "logs" / "log"));
  logs.get("x").info("before");
  ASSERT_TRUE(logs.flush(kLimit));
  std::filesystem::rename(folder / "logs", folder / "gone");
  logs.reopen();
  logs.get("x").info("after");
  ASSERT_TRUE(logs.flush(kLimit));
  const auto lines = lines_in(content_of(folder / "gone/log"));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[1], HasSubstr(" warn  host.log: could not open the log file anew"));
  EXPECT_THAT(lines[1], EndsWith("error=\"no such file or directory\""));
  EXPECT_THAT(lines[2], EndsWith("x: after"));
}

TEST(LogWriter, AppendsToWhatIsThereAndShowsItToItsOwnersAlone) {
  const busbar::testing::TemporaryFolder folder;
  std::ofstream(folder / "old") << "as it was\n";
  for (const char* name : {"old", "new"}) Logs(to(folder / name)).get("x").info("line");
  EXPECT_THAT(content_of(folder / "old"), ::testing::StartsWith("as it was\n2"));
  struct stat status {};
  ASSERT_EQ(::stat((folder / "new").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007U, 0U);
}

TEST(LogWriter, SaysWhyAFileCannotBeOpened) {
  const auto error_of = [](const std::filesystem::path& file) {
    try {
      const Logs logs(to(file));
    } catch (const LogFileError& error) {
      return std::string(error.what());
    }
    return std::string("it was opened");
  };
  EXPECT_THAT(error_of("/no/such/folder/a\nb"),
              HasSubstr("could not open the log file \"/no/such/folder/a\\nb\": no such file or directory (hint: "));
  EXPECT_THAT(error_of("/tmp"), HasSubstr("is a directory"));
  SmallPipe pipe;
  pipe.close();
  EXPECT_THAT(error_of(pipe.path()), HasSubstr("no such device")) << "it does not wait for a reader";
}

TEST(LogTarget, KnowsTheStreamThatSystemdHasConnectedToItsJournal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  struct stat status {};
  ASSERT_EQ(::fstat(ends[1], &status), 0);
  const std::string stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  EXPECT_TRUE(is_journal(ends[1], stream.c_str()));
  for (const std::string& other :
       {stream + "0", "1" + stream, stream + ":", stream + " ", std::string(), std::string(":"), std::string("x:y")}) {
    EXPECT_FALSE(is_journal(ends[1], other.c_str())) << other;
  }
  EXPECT_FALSE(is_journal(ends[1], nullptr));
  for (const int end : ends) ::close(end);
  EXPECT_FALSE(is_journal(ends[1], stream.c_str())) << "it is closed";
}

}  // namespace
}  // namespace busbar::host
