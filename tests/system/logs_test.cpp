// The log: what a reader that does not read does to a host, a file that is rotated, the journal, levels, slow calls.
#include <busbar/trace.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <regex>
#include <sstream>

#include "system/support/test_cluster.hpp"
#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::vector<std::string> lines_with(const std::string& text, const std::string& part) {
  std::vector<std::string> out;
  for (auto& line : lines_in(text)) {
    if (line.find(part) != std::string::npos) out.push_back(std::move(line));
  }
  return out;
}

Json status_of(const TestHost& host) { return host.ask({"status"}).json; }
std::uint64_t dropped(const TestHost& host) { return status_of(host)["log"]["dropped"]; }

/// Logs so many lines of the text, with their numbers behind it.
Answer log_lines(const TestHost& host, int count, const std::string& text, const std::string& level = "info") {
  return host.call("logs_lines", {{"count", count}, {"text", text}, {"level", level}});
}

// ------------------------------------------------------------------------------------------------- who does not read

/// A pipe with a name that holds a page, for a host's standard error.
class Unread {
 public:
  explicit Unread(const fs::path& path) : path_(path) {
    if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("could not make a pipe");
    pipe_ = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ::fcntl(pipe_, F_SETPIPE_SZ, 4096);
  }
  ~Unread() { ::close(pipe_); }
  Unread(const Unread&) = delete;
  Unread& operator=(const Unread&) = delete;

  /// A command that becomes another one, which has it as its standard error.
  std::vector<std::string> launcher() const { return {"sh", "-c", "exec \"$@\" 2>\"$0\"", path_}; }

  /// Reads until a line has the text.
  std::string read_until(const std::string& text) {
    ::fcntl(pipe_, F_SETPIPE_SZ, 1024 * 1024);  // a page at a time it takes long on a busy machine
    std::string all;
    const auto is_there = [&] {
      std::array<char, 65'536> buffer;
      for (ssize_t count; (count = ::read(pipe_, buffer.data(), buffer.size())) > 0;) {
        all.append(buffer.data(), static_cast<std::size_t>(count));
      }
      const std::size_t at = all.find(text);
      return at != std::string::npos && all.find('\n', at) != std::string::npos;
    };
    EXPECT_TRUE(eventually(is_there)) << all.substr(0, 2'000);
    return all;
  }

 private:
  const fs::path path_;
  int pipe_ = -1;
};

/// What the host says that it has lost, in all.
std::uint64_t told_lost(const std::string& text) {
  std::uint64_t sum = 0;
  for (const std::string& line : lines_with(text, " host.log: ")) {
    const std::size_t at = line.find(" lost=");
    if (at != std::string::npos) sum += std::stoull(line.substr(at + 6));
  }
  return sum;
}

using UnreadLog = ClusterTest;

TEST_F(UnreadLog, HoldsUpNeitherCallsNorHeartbeatsAndTellsWhatWasLostWhenItIsReadAgain) {
  cluster.add("a");
  TestHost& b = cluster.make("b");
  b.add("behaviours");
  Unread unread(b.root() / "stderr");
  b.launcher = unread.launcher();
  cluster.start("b");
  ASSERT_TRUE(cluster.wait_until_offered("logs_lines", {"b"}));
  EXPECT_EQ(dropped(b), 0u);

  // From the other node, more than may wait.
  const int lines = 400;
  EXPECT_EQ(log_lines(cluster["a"], lines, std::string(15'000, 'x')).status, 0);
  const std::uint64_t lost = dropped(b);
  EXPECT_GT(lost, 0u);
  EXPECT_LT(lost, static_cast<std::uint64_t>(lines));
  // Time passes, beyond what a node may be silent; the log goes on being unread.
  const auto uptime = status_of(b)["uptime_s"].get<int>();
  ASSERT_TRUE(eventually([&] { return status_of(b)["uptime_s"].get<int>() >= uptime + 3; }));
  EXPECT_EQ(cluster["a"].call("logs", {{"key", "one more"}}).status, 0);
  EXPECT_THAT(cluster["a"].log(),
              AllOf(Not(HasSubstr("suspect")), Not(HasSubstr("node left")), Not(HasSubstr("is down"))));
  EXPECT_EQ(states_of(b), Json({{"a", "up"}, {"b", "self"}}));

  const std::uint64_t all_lost = dropped(b);
  const std::string read = unread.read_until(" lost=");
  EXPECT_EQ(told_lost(read), all_lost);
  const auto written = lines_with(read, "plugin.behaviours: xxx").size();
  const auto missing = lines - static_cast<int>(written);
  EXPECT_GT(missing, 0);
  EXPECT_LE(static_cast<std::uint64_t>(missing), all_lost) << "no line is lost that is not counted";
  EXPECT_EQ(cluster["a"].call("logs", {{"key", "read again"}}).status, 0);
  EXPECT_THAT(unread.read_until("read again"), HasSubstr(" warn  plugin.behaviours: read again service=logs"));
}

class Logs : public SystemTest {
 protected:
  void start(std::vector<std::string> more = {}) {
    host.add("behaviours");
    host.start(std::move(more));
  }
  fs::path file() const { return host.root() / "host.log"; }
};

TEST_F(Logs, ThatNobodyReadsDoNotHoldUpAStop) {
  Unread unread(host.root() / "stderr");
  host.launcher = unread.launcher();
  start();
  log_lines(host, 100, std::string(15'000, 'x'));
  host.stop();
}

// ------------------------------------------------------------------------------------------------------------ the file

TEST_F(Logs, GoOnInANewFileAtSighupAndLoseNothing) {
  start({"--log-file", file()});
  EXPECT_THAT(read_file(file()), HasSubstr("host: started node=tested"));
  const fs::path old = host.root() / "host.log.1";
  // No more than the queue holds: a log thread that stands still for a moment loses none of them.
  Process logging = host.start_busbar({"call", "logs_lines", R"({"count":10000,"text":"during"})"});
  ASSERT_TRUE(eventually([&] { return read_file(file()).find("during") != std::string::npos; }));
  fs::rename(file(), old);
  host.process().signal(SIGHUP);
  ASSERT_TRUE(eventually([&] { return fs::exists(file()); }));
  log_lines(host, 1, "later");
  ASSERT_EQ(logging.wait().value_or(Ended{}).status, 0);
  EXPECT_EQ(host.stop().err, "") << "nothing is on standard error";
  const std::string before = read_file(old);
  const std::string after = read_file(file());
  EXPECT_THAT(before, Not(HasSubstr("later")));
  EXPECT_THAT(after, AllOf(HasSubstr("plugin.behaviours: later 0"), HasSubstr("host: stopped node=tested")));
  int next = 0;
  for (const std::string& line : lines_with(before + after, "behaviours: during ")) {
    EXPECT_THAT(line, HasSubstr(": during " + std::to_string(next++) + " service=logs_lines"));
  }
  EXPECT_EQ(next, 10'000) << "each is in one of them, once";
}

TEST_F(Logs, GoOnInTheOldFileWhereANewOneCannotBeOpened) {
  const fs::path directory = host.root() / "logs";
  fs::create_directory(directory);
  start({"--log-file", directory / "host.log"});
  fs::rename(directory, host.root() / "moved");
  host.process().signal(SIGHUP);
  const fs::path moved = host.root() / "moved/host.log";
  ASSERT_TRUE(
      eventually([&] { return read_file(moved).find("could not open the log file anew") != std::string::npos; }));
  log_lines(host, 1, "goes on");
  EXPECT_TRUE(eventually([&] { return read_file(moved).find("goes on 0") != std::string::npos; }));
}

TEST_F(Logs, AFileThatCannotBeOpenedIsAnErrorOfTheStart) {
  const auto ended = host.start_process({"--log-file", host.root() / "no/such/file"}).wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 1);
  EXPECT_THAT(ended->err,
              AllOf(HasSubstr("busbard: could not open the log file"), HasSubstr("no such file or directory")));
}

TEST_F(Logs, OnADiskThatIsFullCostNothingButTheLines) {
  start({"--log-file", "/dev/full"});
  EXPECT_EQ(log_lines(host, 5, "line").status, 0);
  EXPECT_TRUE(eventually([&] { return dropped(host) >= 5; })) << status_of(host);
}

// --------------------------------------------------------------------------------------------------------- the journal

/// Stands where systemd's journal does.
class Journal {
 public:
  explicit Journal(const fs::path& path) : path_(path), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 1) != 0) {
      throw std::runtime_error("could not listen at \"" + path.string() + "\"");
    }
  }
  ~Journal() {
    if (stream_ >= 0) ::close(stream_);
    ::close(listener_);
  }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// A command that becomes another one, whose standard error is connected to this one; which the variable names, or
  /// something else.
  std::vector<std::string> launcher(const std::string& stream = "") const {
    return {"python3", "-c",
            "import os, socket, sys\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "s.connect(sys.argv[1])\n"
            "os.dup2(s.fileno(), 2)\n"
            "is_at = os.fstat(2)\n"
            "os.environ['JOURNAL_STREAM'] = sys.argv[2] or f'{is_at.st_dev}:{is_at.st_ino}'\n"
            "os.execv(sys.argv[3], sys.argv[3:])\n",
            path_, stream};
  }
  /// All that was written there, to its end.
  std::string read() {
    stream_ = ::accept(listener_, nullptr, nullptr);
    std::string all;
    std::array<char, 65'536> buffer;
    for (ssize_t count; (count = ::read(stream_, buffer.data(), buffer.size())) > 0;) {
      all.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return all;
  }

 private:
  const fs::path path_;
  const int listener_;
  int stream_ = -1;
};

TEST_F(Logs, GoToTheJournalWithTheirLevelAndWithoutATimeOfTheirOwn) {
  Journal journal(host.root() / "journal");
  host.launcher = journal.launcher();
  start({"--log-level", "debug"});
  host.call("logs", {{"key", "<0>forged"}});
  log_lines(host, 1, "a debug line", "debug");
  host.stop();
  const std::string said = journal.read();
  EXPECT_THAT(said, HasSubstr("<6>info  host: started node=tested"));
  EXPECT_THAT(said, HasSubstr("<4>warn  plugin.behaviours: <0>forged service=logs message_id="));
  EXPECT_THAT(said, HasSubstr("<7>debug plugin.behaviours: a debug line 0"));
  static const std::regex line("<[3467]>(error|warn|info|debug) +[a-z.]+: .*");
  for (const std::string& each : lines_in(said)) EXPECT_TRUE(std::regex_match(each, line)) << each;
}

TEST_F(Logs, GoToTheJournalAsJsonWhereThatWasAskedFor) {
  Journal journal(host.root() / "journal");
  host.launcher = journal.launcher();
  start({"--log-format", "json"});
  host.stop();
  for (const std::string& each : lines_in(journal.read())) {
    ASSERT_TRUE(each.starts_with("<6>{")) << each;
    const Json object = Json::parse(each.substr(3), nullptr, false);
    ASSERT_TRUE(object.is_object()) << each;
    EXPECT_FALSE(object.contains("at")) << each;
  }
}

TEST_F(Logs, HaveTheirTimeWhereStandardErrorIsNotTheJournals) {
  Journal journal(host.root() / "journal");
  host.launcher = journal.launcher("1:2");
  start();
  host.stop();
  EXPECT_THAT(journal.read(), testing::MatchesRegex("20[0-9]+-[0-9]+-[0-9]+T[0-9:.]+Z info  host: .*\n"));
}

// --------------------------------------------------------------------------------------------------- ids on every line

TEST_F(Logs, OfAPluginSayWhichCallTheyAreAboutAlsoWithoutItsContext) {
  start();
  const Answer answer = host.call("logs_elsewhere", Json::object(), {});
  ASSERT_EQ(answer.status, 0) << answer.out;
  const std::string id = answer.json["message_id"], nested = answer.json["value"];
  const std::string log = host.log(), trace = " trace_id=" + trace_of(id, id).trace_id_text() + "\n";
  EXPECT_THAT(log,
              HasSubstr(": in the handler service=logs_elsewhere message_id=" + id + " correlation_id=" + id + trace));
  EXPECT_THAT(log, HasSubstr(": in the callback message_id=" + nested + " correlation_id=" + id + trace));
}

TEST_F(Logs, OfAServiceThatNobodyOffersAndOfABrokenPromiseHaveTheIdsToo) {
  start();
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const std::vector<std::string> traced = {"--traceparent", "00-" + trace + "-b7ad6b7169203331-00"};
  const std::string unknown = host.call("nobody_has_this", Json::object(), traced).json["message_id"];
  const std::string slow = host.call("inline_slow", {{"ms", 5}}, traced).json["message_id"];
  const std::string log = host.log();
  for (const auto& [words, id] : {std::pair{"nobody provides the service", unknown}, {"broke its promise", slow}}) {
    const auto lines = lines_with(log, words);
    ASSERT_EQ(lines.size(), 1u) << log;
    EXPECT_THAT(lines.front(), HasSubstr("message_id=" + id + " correlation_id=" + id + " trace_id=" + trace)) << words;
  }
}

TEST_F(Logs, OfAPluginThatWritesWhatLooksLikeFieldsHaveItInQuotes) {
  start();
  const std::string id = host.call("logs", {{"key", "paid message_id=forged"}}).json["message_id"];
  EXPECT_THAT(host.log(), testing::ContainsRegex(": \"[^\n]*paid message_id=forged[^\n]*\".* message_id=" + id));
}

// -------------------------------------------------------------------------------------------------------- levels

TEST_F(Logs, ChangeTheirLevelWhileTheHostRuns) {
  start();
  const auto logged = [&](const std::string& text) {
    log_lines(host, 1, text, "debug");
    return host.log().find(text) != std::string::npos;
  };
  EXPECT_FALSE(logged("first"));
  EXPECT_EQ(host.ask({"log-level", "plugin.behaviours", "debug"}).status, 0);
  EXPECT_TRUE(logged("second"));
  EXPECT_EQ(host.ask({"reload", "behaviours"}).status, 0);
  EXPECT_TRUE(logged("third")) << "its next version has it, too";
  host.ask({"log-level", "plugin.behaviours", "default"});
  EXPECT_FALSE(logged("fourth"));
  host.ask({"log-level", "plugin", "trace"});
  EXPECT_TRUE(logged("fifth"));
  host.ask({"log-level", "plugin.behaviours", "error"});
  EXPECT_FALSE(logged("sixth"));
  host.call("logs", {{"key", "seventh"}});
  EXPECT_THAT(host.log(), Not(HasSubstr("seventh"))) << "a warning";
  host.ask({"log-level", "default"});
  host.ask({"log-level", "debug"});
  EXPECT_TRUE(logged("eighth"));
  EXPECT_THAT(host.busbar({"log-level"}).out, AllOf(HasSubstr("(all others)"), HasSubstr("host.dispatch")));
}

TEST_F(Logs, TellOfEachCallAndFrameWhereThatIsWanted) {
  start();
  const std::string address = cluster_status(host, "address").get<std::string>();
  const auto call_from_outside = [&] {
    Command command;
    command.arguments = {tested::busbar(), "--connect", address, "call", "logs_lines"};
    command.scratch = host.root();
    ASSERT_TRUE(Process(command).wait());
  };
  host.call("logs_lines");
  EXPECT_THAT(host.log(), Not(HasSubstr("a call has ended")));
  host.ask({"log-level", "host.dispatch", "debug"});
  const std::string id = host.call("logs_lines").json["message_id"];
  const auto ended = lines_with(host.log(), "a call has ended service=logs_lines node=tested duration_us=");
  ASSERT_EQ(ended.size(), 1u) << host.log();
  EXPECT_THAT(ended.front(), HasSubstr(" message_id=" + id + " correlation_id=" + id));
  call_from_outside();
  EXPECT_THAT(host.log(), Not(HasSubstr("a frame has come")));
  host.ask({"log-level", "host.cluster", "trace"});
  call_from_outside();
  EXPECT_THAT(host.log(), testing::ContainsRegex("trace host.cluster: a frame has come from=[^ ]+ bytes=[0-9]+\n"));
}

TEST_F(Logs, HaveTheLevelsOfTheConfiguration) {
  host.configure("[log.levels]\n\"plugin.behaviours\" = \"debug\"\nhost.loader = \"error\"\n");
  start();
  log_lines(host, 1, "a debug line", "debug");
  EXPECT_THAT(host.log(), AllOf(HasSubstr("a debug line"), Not(HasSubstr(" host.loader: "))));
  host.ask({"log-level", "plugin.behaviours", "error"});
  host.ask({"log-level", "default"});
  log_lines(host, 1, "another debug line", "debug");
  EXPECT_THAT(host.log(), HasSubstr("another debug line"));
}

TEST_F(Logs, ALevelOfNothingIsRefusedWithWhatWasProbablyMeant) {
  start();
  const Ended part = host.busbar({"log-level", "plugin.behaviour", "debug"});
  EXPECT_EQ(part.status, 1);
  EXPECT_THAT(part.err, HasSubstr("nearest: \"plugin.behaviours\""));
  const Ended level = host.busbar({"log-level", "host", "wrn"});
  EXPECT_EQ(level.status, 2);
  EXPECT_THAT(level.err, HasSubstr("nearest: \"warn\""));
}

// ---------------------------------------------------------------------------------------------------- slow calls

TEST_F(Logs, TellOfCallsThatTakeLong) {
  host.configure("[log]\nslow_call = \"900ms\"\n");
  start();
  const Answer slow = host.call("sleeps", {{"ms", 1'200}});
  host.call("kept_private");
  const std::string log = host.log();
  const auto lines = lines_with(log, "a call took long");
  ASSERT_EQ(lines.size(), 1u) << log;
  const std::string id = slow.json["message_id"];
  EXPECT_THAT(lines.front(), testing::ContainsRegex(" warn  host.dispatch: a call took long service=sleeps node=tested "
                                                    "duration_us=[0-9]+ outcome=ok suppressed=0 message_id=" +
                                                    id + " correlation_id=" + id));
  EXPECT_GE(std::stoi(lines.front().substr(lines.front().find("duration_us=") + 12)), 1'200'000);
}

TEST_F(Logs, TellHowASlowCallEndedAlsoOfAnInlineService) {
  host.configure("[log]\nslow_call = \"2ms\"\n");
  start();
  host.call("sleeps", {{"ms", 5'000}}, {"--timeout", "60"});
  host.call("inline_slow");  // 3 ms
  const std::string log = host.log();
  const auto timed_out = lines_with(log, "a call took long service=sleeps ");
  ASSERT_EQ(timed_out.size(), 1u) << log;
  EXPECT_THAT(timed_out.front(), HasSubstr(" outcome=service_timeout "));
  const auto inline_one = lines_with(log, "a call took long service=inline_slow ");
  ASSERT_EQ(inline_one.size(), 1u) << log;
  EXPECT_THAT(inline_one.front(), HasSubstr(" outcome=ok "));
}

TEST_F(Logs, TellOfNoSlowCallsWhereNobodyWantsThat) {
  host.configure("[log]\nslow_call = \"0s\"\n");
  start();
  host.call("sleeps", {{"ms", 1'100}});
  EXPECT_THAT(host.log(), Not(HasSubstr("took long")));
}

using SlowCallsElsewhere = ClusterTest;

TEST_F(SlowCallsElsewhere, AreToldByWhoAskedAndByWhoServed) {
  for (const char* name : {"a", "b"}) cluster.make(name).variables["BUSBAR_LOG__SLOW_CALL"] = "50ms";
  cluster["b"].add("behaviours");
  for (const char* name : {"a", "b"}) cluster.start(name);
  ASSERT_TRUE(cluster.wait_until_offered("sleeps", {"b"}));
  const std::string id = cluster["a"].call("sleeps", {{"ms", 100}}).json["message_id"];
  for (const char* name : {"a", "b"}) {
    const auto lines = lines_with(cluster[name].log(), "a call took long service=sleeps node=b");
    ASSERT_EQ(lines.size(), 1u) << name;
    EXPECT_THAT(lines.front(), HasSubstr("message_id=" + id)) << name;
  }
}

}  // namespace
}  // namespace busbar::system_tests
