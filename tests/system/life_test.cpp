// The life of a host: its start, its end, and what happens to its files and directories meanwhile.
#include <signal.h>

#include <fstream>
#include <thread>

#include "system/support/raw_client.hpp"
#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class Life : public SystemTest {
 protected:
  void start(std::initializer_list<const char*> plugins, std::string_view toml = {}) {
    if (!toml.empty()) host.configure(toml);
    for (const char* name : plugins) host.add(name);
    host.start();
  }
  bool said(const std::string& text) {
    return eventually([&] { return host.log().find(text) != std::string::npos; });
  }
  std::string state_of(const char* file) {
    const Json row = host.plugin(file);
    return row.is_null() ? "none" : row.at("state");
  }
  void rescan() { EXPECT_EQ(host.ask({"rescan"}).status, 0); }
};

// -- the end

class Stop : public Life, public testing::WithParamInterface<int> {};

TEST_P(Stop, ASignalEndsTheHostInOrderAndCallsUnderWayFinish) {
  start({"behaviours", "greeter"});
  Process caller = host.start_busbar({"--json", "call", "sleeps", R"({"ms":700,"answer":"rested"})"});
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  EXPECT_THAT(host.stop(GetParam()).err, HasSubstr("host: stopped"));
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->out;
  EXPECT_THAT(ended->out, HasSubstr("rested"));
  EXPECT_FALSE(fs::exists(host.socket()));
  EXPECT_EQ(host.call("greet").status, 7);
}

INSTANTIATE_TEST_SUITE_P(Signals, Stop, testing::Values(SIGTERM, SIGINT),
                         [](const auto& with) { return with.param == SIGTERM ? "SIGTERM" : "SIGINT"; });

TEST_F(Life, ASecondSignalEndsItAtOnce) {
  start({"behaviours"}, "[shutdown]\ntimeout = \"10m\"\n");
  Process caller = host.start_busbar({"call", "never_returns", "{}", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  Process& process = host.process();
  process.signal(SIGTERM);
  ASSERT_TRUE(said("host: stopping"));
  process.signal(SIGTERM);
  const auto ended = process.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 1);
  EXPECT_THAT(ended->err, HasSubstr("second signal"));
  host.start();  // and whatever it left behind is no hindrance
}

TEST_F(Life, CallsThatComeWhileItStopsAreToldSo) {
  start({"behaviours"}, "[shutdown]\ntimeout = \"1s\"\n");
  const RawClient client(host.socket());
  wire::AdminRequest request;
  request.seq = 1;
  request.verb = "call";
  request.service = "never_returns";
  client.send(wire::frame_of(request));
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  host.process().signal(SIGTERM);
  ASSERT_TRUE(said("host: stopping"));
  const auto answer = client.receive();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_EQ(answer->error->code, "stopping");
  host.finish();
}

// -- the start

TEST_F(Life, EveryVerbButStatusWaitsForTheFirstScan) {
  host.configure("[plugins]\ntrial_timeout = \"3s\"\n");
  host.add("hangs_in_initialiser", "a_slow_one.so");
  host.add("greeter");
  Process starting = host.start_process();
  ASSERT_TRUE(eventually([&] { return host.busbar({"status"}).status == 0; }));
  const Answer early = host.ask({"status"});
  const Answer call = host.call("greet", {{"name", "Ada"}});
  EXPECT_EQ(call.json["value"]["text"], "Hello, Ada!");
  EXPECT_EQ(early.json["ready"], false) << "or this machine was too slow to look while the scan went on";
  starting.signal(SIGTERM);
  const auto ended = starting.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0);
}

TEST_F(Life, AHostThatStandsStillIsToldAfterTenSeconds) {
  start({"greeter"});
  host.process().freeze();
  std::vector<Process> asking;
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
           {"status"}, {"config", "reload"}, {"services"}, {"call", "greet"}, {"events"}}) {
    asking.push_back(host.start_busbar(verb));
  }
  for (Process& each : asking) {
    const auto ended = each.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->status, 7) << ended->out;
    EXPECT_THAT(ended->err, HasSubstr("did not answer within 1"));
  }
  host.process().signal(SIGCONT);
  EXPECT_EQ(host.ask({"status"}).status, 0);
}

TEST_F(Life, APluginDirectoryThatIsMissingIsToldAndFoundWhenItIsThere) {
  fs::remove(host.plugins());
  host.start();
  EXPECT_THAT(host.log(), HasSubstr("does not exist"));
  fs::create_directory(host.plugins());
  host.add("echo");
  rescan();
  EXPECT_EQ(host.call("echo", 1).status, 0);
}

TEST_F(Life, APluginDirectoryThatEverybodyMayWriteIsRefused) {
  fs::permissions(host.plugins(), fs::perms::all);
  host.add("echo");
  host.start();
  EXPECT_EQ(host.call("echo").status, 3);
  EXPECT_THAT(host.log(), HasSubstr("can be written by everybody"));
}

TEST_F(Life, AHostThatWasKilledLeavesNothingInTheWayOfTheNext) {
  start({"behaviours", "greeter"});
  ASSERT_FALSE(fs::is_empty(host.cache()));
  write_file(host.cache() / "greeter-999-0123456789abcdef.so", "left by somebody");
  host.process().signal(SIGKILL);
  ASSERT_TRUE(host.process().wait());
  ASSERT_TRUE(fs::exists(host.socket()));
  EXPECT_EQ(host.call("greet").status, 7);

  host.start();
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0);
  EXPECT_THAT(host.log(), HasSubstr("took over"));
  EXPECT_FALSE(fs::exists(host.cache() / "greeter-999-0123456789abcdef.so"));
}

TEST_F(Life, AHostThatStoppedInOrderIsNotTakenForOneThatWasKilled) {
  start({"greeter"});
  host.stop();
  host.start();
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0);
  EXPECT_THAT(host.log(), Not(HasSubstr("took over")));
}

TEST_F(Life, AHostThatIsKilledInTheMiddleOfATrialLeavesNoChildBehind) {
  host.configure("[plugins]\ntrial_timeout = \"10m\"\n");
  host.add("hangs_in_initialiser");
  Process starting = host.start_process();
  const auto child = [&] {  // of the thread that loads
    std::string children;
    for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(starting.pid()) + "/task")) {
      children += read_file(thread.path() / "children");
    }
    return children.substr(0, children.find(' '));
  };
  std::string found;
  ASSERT_TRUE(eventually([&] { return !(found = child()).empty(); }));
  const fs::path left = "/proc/" + found;
  starting.signal(SIGKILL);
  ASSERT_TRUE(starting.wait());
  EXPECT_TRUE(eventually([&] {  // gone, or a zombie that nobody has collected
    const std::string status = read_file(left / "status");
    return status.empty() || status.find("State:\tZ") != std::string::npos;
  }));
}

TEST_F(Life, ASecondHostOnTheSameRunDirectoryIsRefusedByTheNameOfItsHolder) {
  start({"greeter"});
  const std::string holder = std::to_string(host.process().pid());
  Process same_run = host.start_process({"--node", "second", "--state-dir", host.root() / "other"});
  Process same_cache = host.start_process({"--node", "second", "--run-dir", host.root() / "other-run"});
  for (Process* second : {&same_run, &same_cache}) {
    const auto ended = second->wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->status, 1);
    EXPECT_THAT(ended->err, HasSubstr("held by node \"tested\""));
    EXPECT_THAT(ended->err, HasSubstr(holder));
  }
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0) << "the first is not disturbed";
}

// -- configuration

class Configuration : public Life {
 protected:
  // What busbard says to it before it ends; its exit status must be that of a usage error.
  std::string complaint(std::vector<std::string> more = {}) {
    Process process = host.start_process(std::move(more));
    const auto ended = process.wait();
    if (!ended) return "it did not end";
    EXPECT_EQ(ended->status, 2) << ended->err;
    return ended->err;
  }
};

TEST_F(Configuration, AnUnknownKeyIsRefusedWithFileLineAndTheNearestOne) {
  host.configure("[pool]\nthreads = 2\n\n[plugins]\ntrail_timeout = \"1s\"\n");
  const std::string text = complaint();
  for (const char* part : {"busbar.toml", "line 5", "trail_timeout", "trial_timeout"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST_F(Configuration, WrongValuesAreRefusedAllAtOnceWithWhatWasExpected) {
  host.configure("[pool]\nthreads = 0\n[shutdown]\ntimeout = 5\n[log]\nlevel = \"inof\"\n");
  const std::string text = complaint();
  for (const char* part : {"threads", "line 2", "timeout", "line 4", "unit", "inof", "\"info\""}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST_F(Configuration, WhatIsNoTomlIsRefusedWithItsLine) {
  host.configure("[pool]\nthreads = \n");
  EXPECT_THAT(complaint(), HasSubstr("line 2"));
}

TEST_F(Configuration, AFileThatIsNotThereIsRefusedByName) {
  EXPECT_THAT(complaint({"--config", "/nowhere/busbar.toml"}), HasSubstr("/nowhere/busbar.toml"));
}

TEST_F(Configuration, BadFlagsAreRefused) {
  EXPECT_THAT(complaint({"--log-level", "loud"}), HasSubstr("loud"));
  EXPECT_THAT(complaint({"--node", "local"}), HasSubstr("local"));
  complaint({"--wrong"});
}

TEST_F(Configuration, TheEnvironmentOverridesTheFileAndAFlagBoth) {
  host.variables = {{"BUSBAR_POOL__MAX_THREADS", "7"}, {"BUSBAR_NODE__NAME", "from-environment"}};
  start({}, "[pool]\nthreads = 3\nmax_threads = 5\n");
  const Json status = host.ask({"status"}).json;
  EXPECT_EQ(status["pool"]["threads"], 3);
  EXPECT_EQ(status["pool"]["max_threads"], 7);
  EXPECT_EQ(status["node"], "tested") << "as --node says";
}

TEST_F(Configuration, AnUnknownVariableOfOursIsRefused) {
  host.variables = {{"BUSBAR_POOL__MAX_THREDS", "7"}};
  EXPECT_THAT(complaint(), HasSubstr("BUSBAR_POOL__MAX_THREADS"));
}

TEST_F(Configuration, APluginsTableReachesItsStart) {
  start({"behaviours"}, "[plugin.behaviours]\ngreeting = \"Hello\"\nlimits = { high = 3, low = [1, 2] }\n");
  EXPECT_EQ(host.call("configured").json["value"],
            Json({{"greeting", "Hello"}, {"limits", {{"high", 3}, {"low", {1, 2}}}}}));
}

TEST_F(Configuration, ATableForAPluginThatIsNotThereIsToldOnce) {
  start({"greeter"}, "[plugin.greter]\nloud = true\n[plugin.greeter]\nloud = true\n");
  EXPECT_THAT(host.log(), HasSubstr("table=[plugin.greter] nearest_plugin=greeter"));
  rescan();
  const std::string log = host.log();
  const auto first = log.find("for a plugin that is not there");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("for a plugin that is not there", first + 1), std::string::npos) << log;
}

TEST_F(Configuration, AKeyThatAPluginDoesNotKnowIsTold) {
  start({"accounts"}, "[plugin.accounts]\nchek_from = 500\n");
  EXPECT_THAT(host.log(), HasSubstr("plugin.accounts: unknown key \"chek_from\""));
  EXPECT_THAT(host.log(), HasSubstr("\"check_from\""));
}

TEST_F(Configuration, SettingsThatAPluginRefusesAreCalledByTheirTable) {
  start({"accounts"}, "[plugin.accounts]\ncheck_from = \"much\"\n");
  const std::string reason = host.plugin("accounts.so")["reason"];
  EXPECT_THAT(reason, HasSubstr("[plugin.accounts]"));
  EXPECT_THAT(reason, HasSubstr("check_from"));
}

TEST_F(Configuration, ALogInJsonHasOneObjectALine) {
  host.add("echo");
  host.start({"--log-format", "json", "--log-level", "debug"});
  host.call("nobody_has_this");
  const Ended ended = host.stop();
  std::istringstream lines(ended.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json json = Json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line;
    for (const char* key : {"at", "level", "logger", "message"}) EXPECT_TRUE(json.contains(key)) << line;
  }
  EXPECT_GT(count, 3);
}

// -- looking at the directory again

class Rescan : public Life, public testing::WithParamInterface<bool> {
 protected:
  // By the command, or by the signal, which tells nobody when it is done.
  bool look_again_until(const std::function<bool()>& condition) {
    if (GetParam()) {
      rescan();
      return condition();
    }
    host.process().signal(SIGHUP);
    return eventually(condition);
  }
};

TEST_P(Rescan, FindsWhatWasAddedRemovedAndChanged) {
  start({"good", "greeter"});
  const Json before = host.plugin("good.so");
  host.add("echo");
  fs::remove(host.plugins() / "greeter.so");
  host.add("good_again", "good.so");
  EXPECT_TRUE(look_again_until([&] { return host.plugin("good.so")["version"] == "2.0.0"; }));
  EXPECT_GT(host.plugin("good.so")["generation"], before["generation"]);
  EXPECT_EQ(state_of("good.so"), "serving");
  EXPECT_EQ(state_of("echo.so"), "serving");
  EXPECT_EQ(host.call("echo", 1).status, 0);
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 3);
  EXPECT_EQ(host.call("good").status, 0);
}

INSTANTIATE_TEST_SUITE_P(By, Rescan, testing::Bool(),
                         [](const auto& with) { return with.param ? "Command" : "Signal"; });

TEST_F(Life, AFileThatIsTheSameIsNotLoadedAgain) {
  start({"good"});
  const Json before = host.plugin("good.so");
  host.add("good");  // the same bytes in a new file
  rescan();
  EXPECT_EQ(host.plugin("good.so")["generation"], before["generation"]);
}

TEST_F(Life, NoCallFailsWhileAPluginIsReplaced) {
  start({"good"});
  std::atomic<bool> enough{false};
  std::atomic<int> calls{0};
  std::atomic<int> failures{0};
  const auto call_all_the_time = [&] {
    const RawClient client(host.socket());
    wire::AdminRequest request;
    request.verb = "call";
    request.service = "good";
    request.timeout_ms = 60'000;
    while (!enough) {
      client.send(wire::frame_of(request));
      const auto answer = client.receive();
      const bool ok = answer && answer->reply && answer->reply->response.kind == "ok";
      ++(ok ? calls : failures);
      if (!answer) return;
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i) callers.emplace_back(call_all_the_time);
  for (int round = 0; round < 6; ++round) {
    const int before = calls;
    host.add(round % 2 == 0 ? "good_again" : "good", "good.so");
    rescan();
    EXPECT_EQ(host.plugin("good.so")["version"], round % 2 == 0 ? "2.0.0" : "1.0.0");
    EXPECT_TRUE(eventually([&] { return calls > before; }));
  }
  enough = true;
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(Life, ANewerFileThatCannotBeUsedLeavesTheOlderServing) {
  start({"good"});
  const Json before = host.plugin("good.so");
  for (const char* bad : {"start_fails", "constructor_throws", "other_abi_major"}) {
    host.add(bad, "good.so");
    rescan();
    const Json row = host.plugin("good.so");
    EXPECT_EQ(row["state"], "serving") << bad;
    EXPECT_EQ(row["generation"], before["generation"]) << bad;
    EXPECT_THAT(row["reason"].get<std::string>(), HasSubstr("newer file")) << bad;
    EXPECT_EQ(host.call("good").status, 0) << bad;
  }
}

TEST_F(Life, TheFileThatServesBackInItsPlaceEndsTheComplaintAboutANewerOne) {
  start({"good"});
  const Json before = host.plugin("good.so");
  host.add("start_fails", "good.so");
  rescan();
  EXPECT_NE(host.plugin("good.so")["reason"], "");
  host.add("good", "good.so");
  rescan();
  EXPECT_EQ(host.plugin("good.so")["reason"], "");
  EXPECT_EQ(host.plugin("good.so")["generation"], before["generation"]);
}

TEST_F(Life, ANewerFileThatCouldNotBeUsedIsTriedAgainWhenItsReasonIsGone) {
  start({"greeter", "good"});
  host.add("claims_good", "greeter.so");
  rescan();
  EXPECT_THAT(host.plugin("greeter.so")["reason"].get<std::string>(), HasSubstr("good"));
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0) << "the older one serves";
  fs::remove(host.plugins() / "good.so");
  rescan();
  EXPECT_EQ(host.plugin("greeter.so")["name"], "claims_good");
  EXPECT_EQ(host.plugin("greeter.so")["generation"], 3) << "one for each load, none for what was refused";
  EXPECT_EQ(host.call("good").status, 0);
}

TEST_F(Life, APluginThatSaysThatItCannotWorkIsShownSo) {
  const fs::path sick = host.root() / "sick";
  std::ofstream(sick).put('\n');
  start({"unhealthy"}, "[plugin.unhealthy]\nsick_while = \"" + sick.string() + "\"\n");
  ASSERT_TRUE(eventually([&] { return host.plugin("unhealthy.so")["healthy"] == false; }));
  EXPECT_THAT(host.plugin("unhealthy.so")["reason"].get<std::string>(), HasSubstr("the database is gone"));
  EXPECT_EQ(host.plugin("unhealthy.so")["state"], "serving");
  fs::remove(sick);
  EXPECT_TRUE(eventually([&] { return host.plugin("unhealthy.so")["healthy"] == true; }));
}

TEST_F(Life, APluginThatCannotWorkTakesNobodysPlace) {
  const fs::path sick = host.root() / "sick";
  std::ofstream(sick).put('\n');
  start({"good"}, "[plugin.unhealthy]\nsick_while = \"" + sick.string() + "\"\n");
  const Json before = host.plugin("good.so");
  host.add("unhealthy", "good.so");
  rescan();
  EXPECT_THAT(host.plugin("good.so")["reason"].get<std::string>(), HasSubstr("the database is gone"));
  EXPECT_EQ(host.plugin("good.so")["generation"], before["generation"]);
  EXPECT_EQ(host.call("good").status, 0);
  fs::remove(sick);
  rescan();
  EXPECT_EQ(host.plugin("good.so")["name"], "unhealthy");
  EXPECT_EQ(host.call("unhealthy").status, 0);
}

TEST_F(Life, ARescanOfADirectoryThatIsGoneSaysSoAndWhatIsLoadedServes) {
  start({"greeter"});
  fs::remove_all(host.plugins());
  const Ended ended = host.busbar({"rescan"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("plugin directory"));
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0);
}

// L1, L2, L3: what happens to the file that a plugin came from is no matter.
TEST_F(Life, TheOriginalFileMayBeOverwrittenTruncatedAndDeleted) {
  start({"good", "behaviours"});
  const auto still_serves = [&](const char* after) {
    EXPECT_EQ(host.call("sleeps", {{"ms", 1}}).json["value"], "slept") << after;
    EXPECT_EQ(host.call("throws").json["kind"], "exit") << after;
  };
  const fs::path file = host.plugins() / "behaviours.so";
  std::string other = read_file(file);
  std::fill(other.begin() + 64, other.end(), 'x');  // not a plugin, which the host would take for a newer version
  {                                                 // in place, as cp does: the inode stays
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.write(other.data(), static_cast<std::streamsize>(other.size()));
  }
  still_serves("overwritten");
  fs::resize_file(file, 100);
  still_serves("truncated");
  rescan();
  EXPECT_EQ(state_of("behaviours.so"), "serving");
  EXPECT_THAT(host.plugin("behaviours.so")["reason"].get<std::string>(), HasSubstr("cut short"));
  fs::remove(file);

  // The same path again, with other code in it (L3).
  host.add("greeter", "behaviours.so");
  rescan();
  EXPECT_EQ(host.plugin("behaviours.so")["name"], "greeter");
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).json["value"]["text"], "Hello, Ada!");
  EXPECT_EQ(host.call("sleeps", {{"ms", 1}}).status, 3);
}

TEST_F(Life, AReplacedPluginEndsWhatItIsRunning) {
  start({"behaviours"});
  Process caller = host.start_busbar({"--json", "call", "sleeps", R"({"ms":4000,"answer":"from the old one"})"});
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  fs::remove(host.plugins() / "behaviours.so");
  rescan();
  EXPECT_EQ(state_of("behaviours.so"), "draining");
  EXPECT_EQ(host.call("sleeps", {{"ms", 1}}).status, 3);
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_THAT(ended->out, HasSubstr("from the old one"));
  // It is unloaded, or where images are kept: retired.
  EXPECT_TRUE(eventually([&] { return state_of("behaviours.so") != "draining"; }));
  EXPECT_EQ(state_of("behaviours.so"), under_any_sanitizer() ? "retired" : "none");
}

TEST_F(Life, APluginThatDoesNotEndIsShownAsStuckAndTheHostStillStops) {
  start({"behaviours"}, "[plugins]\ndrain_timeout = \"50ms\"\n[shutdown]\ntimeout = \"500ms\"\n");
  EXPECT_EQ(host.call("never_returns", Json::object(), {"--timeout", "1000"}).status, 4);
  fs::remove(host.plugins() / "behaviours.so");
  rescan();
  EXPECT_TRUE(eventually([&] { return state_of("behaviours.so") == "stuck"; }));
  EXPECT_EQ(host.plugin("behaviours.so")["calls_running"], 1);
}

TEST_F(Life, AThirdVersionWaitsUntilTheFirstHasEndedItsCallsAndTheLastOneIsTaken) {
  start({"behaviours"});
  Process caller = host.start_busbar({"call", "sleeps", R"({"ms":5000})", "--timeout", "20000"});
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  host.add("good", "behaviours.so");
  rescan();
  EXPECT_EQ(host.plugin("behaviours.so")["name"], "good");
  const int generation = host.plugin("behaviours.so")["generation"];
  host.add("good_again", "behaviours.so");
  host.add("greeter", "behaviours.so");
  rescan();  // is over when that file has had its turn
  for (const Json& row : host.plugin_rows()) {
    EXPECT_FALSE(row["name"] == "behaviours" && row["state"] == "draining") << row;
  }
  EXPECT_EQ(host.plugin("behaviours.so")["name"], "greeter");
  EXPECT_LE(host.plugin("behaviours.so")["generation"], generation + 1) << "the one in between was never loaded";
  ASSERT_TRUE(caller.wait());
}

TEST_F(Life, CallersOfAPluginThatDoesNotEndAreToldSo) {
  start({"behaviours"}, "[plugins]\ndrain_timeout = \"50ms\"\n[shutdown]\ntimeout = \"500ms\"\n");
  Process caller = host.start_busbar({"--json", "call", "never_returns", "{}", "--timeout", "600000"});
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  fs::remove(host.plugins() / "behaviours.so");
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 1) << ended->out;
  EXPECT_THAT(ended->out, HasSubstr("unloaded"));
  EXPECT_TRUE(eventually([&] { return state_of("behaviours.so") == "stuck"; }));
  EXPECT_THAT(host.plugin("behaviours.so")["reason"].get<std::string>(), HasSubstr("never_returns (message "));
  EXPECT_EQ(host.plugin("behaviours.so")["calls_running"], 1) << "it is left alone";
  EXPECT_EQ(host.ask({"status"}).json["pool"]["blocked"], 1) << "its thread is made up for";
}

TEST_F(Life, AnUnloadedPluginLeavesTheProcess) {
  if (under_any_sanitizer()) GTEST_SKIP() << "images are kept in a build with sanitizers";
  start({"greeter"});
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0);
  const auto mapped = [&] {
    return read_file("/proc/" + std::to_string(host.process().pid()) + "/maps").find("/greeter-") != std::string::npos;
  };
  EXPECT_TRUE(mapped());
  fs::remove(host.plugins() / "greeter.so");
  rescan();
  EXPECT_TRUE(eventually([&] { return !mapped(); }));
  EXPECT_TRUE(eventually([&] { return host.plugin_rows().empty(); }));
  EXPECT_TRUE(fs::is_empty(host.cache()) || read_file(host.cache() / "lock") != "") << "the copy is gone too";
}

}  // namespace
}  // namespace busbar::system_tests
