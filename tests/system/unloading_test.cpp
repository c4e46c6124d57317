// What keeps a plugin's library in the process when it is replaced or taken away: then it is said what, the host goes
// on, and the library goes when that has gone.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Unloading : public SystemTest {
 protected:
  void start(std::initializer_list<const char*> plugins, std::string_view toml = {}) {
    host.configure(std::string(toml) + "[shutdown]\ntimeout = \"1s\"\n");
    host.add("good");
    for (const char* name : plugins) host.add(name);
    host.start();
  }
  void call(const std::string& service, const Json& request = Json::object()) {
    const Answer answer = host.call(service, request);
    EXPECT_EQ(answer.status, 0) << service << ": " << answer.out << answer.err;
  }
  void rescan() { EXPECT_EQ(host.ask({"rescan"}).status, 0); }
  void take_away(const char* file) {
    fs::remove(host.plugins() / file);
    rescan();
  }

  // The row of a generation that was replaced or taken away, or null.
  Json left(const std::string& file) {
    for (const Json& row : host.plugin_rows()) {
      if (row["file"] == file && row["state"] != "serving") return row;
    }
    return nullptr;
  }
  bool is_mapped(const std::string& stem) {
    const std::string maps = read_file("/proc/" + std::to_string(host.process().pid()) + "/maps");
    return maps.find("/" + stem + "-") != std::string::npos;
  }

  // In a build with sanitizers every library is kept.
  void expect_gone(const std::string& stem) {
    if (under_any_sanitizer()) return expect_left(stem, "retired", "sanitizers");
    EXPECT_TRUE(eventually([&] { return left(stem + ".so").is_null(); })) << left(stem + ".so");
    EXPECT_FALSE(is_mapped(stem));
    still_works();
  }
  void expect_kept(const std::string& stem, const std::string& reason) {
    expect_left(stem, "retired", under_any_sanitizer() ? "sanitizers" : reason);
    EXPECT_TRUE(is_mapped(stem));
  }
  void expect_left(const std::string& stem, const char* state, const std::string& reason) {
    const auto is_said = [&] {  // a thread may not have begun yet at the first look: the next one has its name
      const Json row = left(stem + ".so");
      return !row.is_null() && row["state"] == state && row.value("reason", "").find(reason) != std::string::npos;
    };
    EXPECT_TRUE(eventually(is_said)) << "expected " << state << ": " << reason << "\nfound " << host.plugin_rows();
    still_works();
  }
  void still_works() { EXPECT_EQ(host.call("good").status, 0) << host.log(); }

  std::string fifo() {
    const std::string path = host.root() / "fifo";
    if (!fs::exists(path)) mkfifo(path.c_str(), 0600);
    return path;
  }
  // Who waits at it goes on.
  void open_fifo() { close(open(fifo().c_str(), O_WRONLY | O_CLOEXEC)); }
};

// -- threads

struct Left {
  const char* service;
  const char* name;
};

class Threads : public Unloading, public testing::WithParamInterface<Left> {};

TEST_P(Threads, KeepTheLibraryThatHasStartedThemUntilTheyEnd) {
  if (std::string_view(GetParam().name) == "in-c" && under_any_sanitizer() && !under_address_sanitizer()) {
    GTEST_SKIP() << "the thread sanitizer does not see C11's threads begin, and ends with them";
  }
  start({"leaves_behind"});
  call(GetParam().service, {{"path", fifo()}});
  take_away("leaves_behind.so");
  expect_kept("leaves_behind", std::string("thread \"") + GetParam().name + "\" (");
  open_fifo();
  expect_gone("leaves_behind");
}

INSTANTIATE_TEST_SUITE_P(Of, Threads,
                         testing::Values(Left{"leave_thread", "left-behind"},
                                         Left{"leave_thread_of_thread", "grandchild"},
                                         Left{"leave_thread_that_exits", "exits"}, Left{"leave_c_thread", "in-c"}),
                         [](const auto& with) {
                           return std::string(with.param.name).substr(0, with.param.name[0] == 'i' ? 2 : 4) + "s";
                         });

TEST_F(Unloading, TheNewerVersionServesWhileTheOlderIsKept) {
  start({"leaves_behind"});
  call("leave_thread", {{"path", fifo()}});
  host.add("leaves_behind_newer", "leaves_behind.so");
  rescan();
  EXPECT_EQ(host.call("leaves").json["value"], "2.0.0");
  expect_kept("leaves_behind", "thread \"left-behind\" (");
  EXPECT_EQ(left("leaves_behind.so")["version"], "1.0.0");
  open_fifo();
  if (!under_any_sanitizer()) {
    EXPECT_TRUE(eventually([&] { return left("leaves_behind.so").is_null(); })) << host.plugin_rows();
  }
  EXPECT_EQ(host.call("leaves").json["value"], "2.0.0");
}

TEST_F(Unloading, AThreadThatStillRunsWhenTheHostStopsIsLeftAlone) {
  start({"leaves_behind"});
  call("leave_thread", {{"path", fifo()}});
  const Ended ended = host.stop();
  if (under_any_sanitizer()) return;
  EXPECT_THAT(ended.err, HasSubstr("thread \\\"left-behind\\\" ("));
}

// -- functions that the process would call

TEST_F(Unloading, AKeyWithADestructorKeepsItsLibrary) {
  start({"leaves_behind"});
  call("leave_key");
  take_away("leaves_behind.so");
  expect_kept("leaves_behind", "a pthread key whose destructor \"wipe_traces\" is its own was not deleted");
}

TEST_F(Unloading, AKeyThatWasDeletedDoesNot) {
  start({"leaves_behind"});
  call("leave_no_key");
  take_away("leaves_behind.so");
  expect_gone("leaves_behind");
}

TEST_F(Unloading, ASignalHandlerKeepsItsLibrary) {
  start({"leaves_behind"});
  call("leave_signal_handler");
  take_away("leaves_behind.so");
  expect_kept("leaves_behind", "it has a handler for SIGUSR2");
  host.process().signal(SIGUSR2);
  still_works();
}

TEST_F(Unloading, ATerminateHandlerKeepsItsLibrary) {
  start({"leaves_behind"});
  call("leave_terminate_handler");
  take_away("leaves_behind.so");
  expect_kept("leaves_behind", "terminate handler");
}

TEST_F(Unloading, AtexitHandlersAndDestructorsOfStaticObjectsRunWhenTheLibraryGoes) {
  if (under_any_sanitizer()) GTEST_SKIP() << "images are kept in a build with sanitizers";
  start({"leaves_behind"});
  const fs::path by_atexit = host.root() / "by-atexit";
  const fs::path by_destructor = host.root() / "by-destructor";
  call("leave_atexit", {{"path", by_atexit}});
  call("leave_static", {{"path", by_destructor}});
  EXPECT_FALSE(fs::exists(by_atexit) || fs::exists(by_destructor));
  take_away("leaves_behind.so");
  expect_gone("leaves_behind");
  EXPECT_TRUE(fs::exists(by_atexit));
  EXPECT_TRUE(fs::exists(by_destructor));
}

// -- what the system's loader keeps

TEST_F(Unloading, AThreadLocalObjectKeepsItsLibraryWhileAThreadLivesThatHasMadeOne) {
  start({"leaves_behind", "passes_on"});
  call("pass_on", {{"service", "leave_thread_local"}, {"path", fifo()}});
  take_away("leaves_behind.so");
  expect_kept("leaves_behind", "thread_local objects");
  if (!under_any_sanitizer()) {
    EXPECT_THAT(left("leaves_behind.so")["reason"].get<std::string>(), HasSubstr("traces()::text"));
  }
  open_fifo();
  expect_gone("leaves_behind");
}

TEST_F(Unloading, UniqueSymbolsAreToldByName) {
  start({"unique_symbols"});
  EXPECT_THAT(host.log(), HasSubstr("plugin file has a flaw"));
  call("unique_symbols");
  take_away("unique_symbols.so");
  expect_kept("unique_symbols", under_any_sanitizer() ? "" : "Counter::value()::counter");
  expect_kept("unique_symbols", "-fno-gnu-unique");
}

TEST_F(Unloading, ALibraryThatIsNotToBeDeletedIsToldSo) {
  start({"no_delete"});
  call("no_delete");
  take_away("no_delete.so");
  expect_kept("no_delete", "-z nodelete");
}

// -- a common library

TEST_F(Unloading, OneThatLogsBySpdlogGoes) {
  start({"logs_by_spdlog_alone"});
  call("log_by_spdlog");
  take_away("logs_by_spdlog_alone.so");
  expect_gone("logs_by_spdlog_alone");
}

TEST_F(Unloading, OneWhoseSpdlogHasAThreadGoesWhereItsStopEndsThat) {
  start({"logs_by_spdlog"});
  call("log_by_spdlog");
  take_away("logs_by_spdlog.so");
  expect_gone("logs_by_spdlog");
}

TEST_F(Unloading, OneWhoseSpdlogHasAThreadIsKeptWhereItsStopDoesNot) {
  start({"logs_by_spdlog_to_the_end"});
  call("log_by_spdlog");
  take_away("logs_by_spdlog_to_the_end.so");
  expect_kept("logs_by_spdlog_to_the_end", "that it started still runs");
}

// -- calls

TEST_F(Unloading, AHandlerThatNeverEndsIsToldByItsCall) {
  start({"behaviours"}, "[plugins]\ndrain_timeout = \"50ms\"\n");
  EXPECT_EQ(host.call("never_returns", Json::object(), {"--timeout", "50"}).status, 4);
  take_away("behaviours.so");
  expect_left("behaviours", "stuck", "never_returns (message ");
  EXPECT_THAT(left("behaviours.so").value("reason", ""), HasSubstr("its handler runs"));
}

TEST_F(Unloading, AReplyHandleThatIsNeverUsedIsToldByItsCall) {
  start({"leaves_behind"}, "[plugins]\ndrain_timeout = \"50ms\"\n");
  EXPECT_EQ(host.call("leave_no_answer", Json::object(), {"--timeout", "50"}).status, 4);
  host.add("leaves_behind_newer", "leaves_behind.so");
  rescan();
  expect_left("leaves_behind", "stuck", "leave_no_answer (message ");
  EXPECT_THAT(left("leaves_behind.so").value("reason", ""), HasSubstr("its reply handle is kept"));
  EXPECT_EQ(host.call("leaves").json["value"], "2.0.0");
}

// -- libraries that come with plugins

TEST_F(Unloading, AHelperOfTheSameNameAsOneThatIsMappedIsToldNotToBeUsed) {
  host.configure("[shutdown]\ntimeout = \"1s\"\n");
  host.add("good");
  host.add("helped_1", "helped.so");
  host.start();
  EXPECT_EQ(host.call("helped").json["value"], 1);
  host.add("helped_2", "helped.so");
  rescan();
  EXPECT_EQ(host.plugin("helped.so")["version"], "2.0.0");
  EXPECT_EQ(host.call("helped").json["value"], 1) << "the system's loader has one of each name";
  EXPECT_THAT(host.log(), AllOf(HasSubstr("libbusbar_tests_helper.so"), HasSubstr("elsewhere/1/"),
                                HasSubstr("elsewhere/2/"), HasSubstr("is not used")));
  still_works();
}

// -- how many are kept

TEST_F(Unloading, NoPluginIsReplacedWhileTooManyLibrariesAreKept) {
  if (under_any_sanitizer()) GTEST_SKIP() << "images are kept in a build with sanitizers, and do not count";
  start({"leaves_behind"}, "[plugins]\nmax_retired = 2\n");
  const auto leave_and_replace = [&](const char* by) {
    call("leave_thread", {{"path", fifo()}});
    host.add(by, "leaves_behind.so");
    rescan();
  };
  leave_and_replace("leaves_behind_newer");
  EXPECT_TRUE(eventually([&] { return left("leaves_behind.so")["state"] == "retired"; }));
  EXPECT_EQ(host.log().find("max_retired=2"), std::string::npos);
  leave_and_replace("leaves_behind");
  EXPECT_TRUE(eventually([&] { return host.log().find("kept=2 max_retired=2") != std::string::npos; }));

  leave_and_replace("leaves_behind_newer");
  EXPECT_THAT(host.plugin("leaves_behind.so")["reason"].get<std::string>(),
              HasSubstr("2 images that could not be unloaded are kept (plugins.max_retired is 2): restart the host, or "
                        "raise the key"));
  EXPECT_EQ(host.call("leaves").json["value"], "1.0.0") << "the old version serves on";
  host.add("echo");
  rescan();
  EXPECT_EQ(host.call("echo", 1).status, 0) << "a first load is none that would add to them";

  open_fifo();  // the threads end: what was refused is taken
  EXPECT_TRUE(eventually([&] { return host.call("leaves").json["value"] == "2.0.0"; })) << host.plugin_rows();
}

}  // namespace
}  // namespace busbar::system_tests
