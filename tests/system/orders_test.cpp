// What an operator says about one plugin: load, unload, reload, rollback, and what stays decided; and which calls go
// on.
#include <signal.h>

#include <fstream>

#include "system/support/raw_client.hpp"
#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Orders : public SystemTest {
 protected:
  void start(std::initializer_list<const char*> plugins, std::string_view toml = {}) {
    if (!toml.empty()) host.configure(toml);
    for (const char* name : plugins) host.add(name);
    host.start();
  }
  void restart() {
    host.stop();
    host.start();
  }
  std::string state_of(const char* file) {
    const Json row = host.plugin(file);
    return row.is_null() ? "none" : row["state"].get<std::string>();
  }
  std::string version_of(const char* file) { return host.plugin(file)["version"]; }
  void obeys(std::vector<std::string> order) {
    const Answer answer = host.ask(std::move(order));
    EXPECT_EQ(answer.status, 0) << answer.out << answer.err;
  }
  std::string refuses(std::vector<std::string> order) {
    const Ended ended = host.busbar(std::move(order));
    EXPECT_EQ(ended.status, 1) << ended.out;
    return ended.err;
  }
  /// Once the version before has ended.
  void replace(const char* by, const char* version) {
    host.add(by, "good.so");
    ASSERT_TRUE(eventually([&] { return version_of("good.so") == version; })) << host.log();
  }
};

TEST_F(Orders, UnloadedIsUnloadedAlsoAfterARescanAndARestartButNotForAnotherFile) {
  start({"good", "greeter"});
  obeys({"unload", "good"});
  EXPECT_EQ(host.call("good").status, 3);
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(state_of("good.so"), "unloaded");
  host.add("good");  // the same bytes are no other file
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(host.call("good").status, 3);
  restart();
  EXPECT_EQ(state_of("good.so"), "unloaded");
  EXPECT_EQ(host.plugin("good.so")["name"], "good");
  EXPECT_EQ(host.call("good").status, 3);
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0);
  EXPECT_THAT(refuses({"unload", "good"}), HasSubstr("already"));
  replace("good_again", "2.0.0");
  EXPECT_EQ(host.call("good").status, 0);
  restart();
  EXPECT_EQ(version_of("good.so"), "2.0.0") << "the mark went with the file";
}

TEST_F(Orders, AReloadEndsThatAndLoadsAFileThatHasNotChangedAnew) {
  start({"good"});
  obeys({"unload", "good.so"});
  obeys({"reload", "good"});
  EXPECT_EQ(host.call("good").status, 0);
  const int generation = host.plugin("good.so")["generation"];
  obeys({"reload", "good"});
  EXPECT_GT(host.plugin("good.so")["generation"].get<int>(), generation);
  restart();
  EXPECT_EQ(host.call("good").status, 0);
}

TEST_F(Orders, WhoIsNotThereIsSaidToBeSoAndWhoIs) {
  start({"good", "greeter"});
  for (const char* verb : {"unload", "reload", "rollback"}) {
    EXPECT_THAT(refuses({verb, "goood"}), testing::AllOf(HasSubstr("\"goood\""), HasSubstr("good, greeter")));
  }
}

TEST_F(Orders, ALoadedFileServesAndIsInTheDirectoryThen) {
  start({});
  obeys({"load", tested::plugin("good")});
  EXPECT_EQ(host.call("good").status, 0);
  EXPECT_TRUE(fs::exists(host.plugins() / "good.so"));
  fs::copy_file(tested::plugin("good_again"), host.root() / "good.so");
  obeys({"load", host.root() / "good.so"});
  EXPECT_EQ(version_of("good.so"), "2.0.0");
  EXPECT_EQ(host.plugin("good.so")["generation"], 2) << "once each";
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(host.plugin("good.so")["generation"], 2);
  restart();
  EXPECT_EQ(version_of("good.so"), "2.0.0");
}

TEST_F(Orders, AFileThatCannotBeUsedIsNotPutIntoTheDirectory) {
  start({"good"});
  const Json before = host.plugin("good.so");
  fs::copy_file(tested::plugin("start_fails"), host.root() / "good.so");
  EXPECT_THAT(refuses({"load", host.root() / "good.so"}), HasSubstr("start"));
  write_file(host.root() / "rubbish.so", "no library");
  EXPECT_THAT(refuses({"load", host.root() / "rubbish.so"}), HasSubstr("ELF"));
  EXPECT_THAT(refuses({"load", host.root() / "nothing.so"}), HasSubstr("nothing.so"));
  EXPECT_THAT(refuses({"load", host.root() / "busbar.toml"}), HasSubstr(".so"));
  EXPECT_EQ(host.plugin("good.so")["generation"], before["generation"]);
  EXPECT_EQ(host.plugin_rows().size(), 1U);
  EXPECT_EQ(std::distance(fs::directory_iterator(host.plugins()), {}), 1) << "nothing is left there";
  restart();
  EXPECT_EQ(host.call("good").status, 0);
}

TEST_F(Orders, ARollbackBringsTheVersionBeforeBackAlsoAfterARestart) {
  start({"good"});
  EXPECT_THAT(refuses({"rollback", "good"}), HasSubstr("no version before"));
  replace("good_again", "2.0.0");
  obeys({"rollback", "good"});
  EXPECT_EQ(version_of("good.so"), "1.0.0");
  EXPECT_THAT(host.plugin("good.so")["reason"].get<std::string>(), HasSubstr("from version 2.0.0"));
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(version_of("good.so"), "1.0.0");
  EXPECT_THAT(refuses({"rollback", "good"}), HasSubstr("already"));
  restart();
  EXPECT_EQ(version_of("good.so"), "1.0.0");
  EXPECT_EQ(host.call("good").status, 0);
  obeys({"reload", "good"});
  EXPECT_EQ(version_of("good.so"), "2.0.0");
}

TEST_F(Orders, AVersionThatOnlyFailsFromItsFirstCallOnGoesByItself) {
  start({"good"});
  replace("always_throws", "3.0.0");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(host.call("good").json["kind"], "exit");
  EXPECT_TRUE(eventually([&] { return version_of("good.so") == "1.0.0"; })) << host.log();
  EXPECT_EQ(host.call("good").status, 0);
  EXPECT_THAT(host.plugin("good.so")["reason"].get<std::string>(), HasSubstr("first 5 calls"));
  restart();
  EXPECT_EQ(version_of("good.so"), "1.0.0");
}

TEST_F(Orders, AndSoDoesOneThatSoonSaysThatItCannotWork) {
  const fs::path sick = host.root() / "sick";
  start({"good"}, "[plugin.unhealthy]\nsick_while = \"" + sick.string() + "\"\n");
  host.add("unhealthy", "good.so");
  ASSERT_TRUE(eventually([&] { return host.plugin("good.so")["name"] == "unhealthy"; })) << host.log();
  write_file(sick, "");
  EXPECT_TRUE(eventually([&] { return host.plugin("good.so")["name"] == "good"; })) << host.log();
  EXPECT_THAT(host.plugin("good.so")["reason"].get<std::string>(), HasSubstr("the database is gone"));
  EXPECT_EQ(host.call("good").status, 0);
}

TEST_F(Orders, UnlessItIsToldNotTo) {
  start({"good"}, "[plugins]\nauto_rollback = false\n");
  replace("always_throws", "3.0.0");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(host.call("good").json["kind"], "exit");
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(version_of("good.so"), "3.0.0");
}

TEST_F(Orders, WhatFailsLeavesWhatWasDecidedBefore) {
  start({"good"});
  replace("good_again", "2.0.0");
  obeys({"unload", "good"});
  write_file(host.state() / "previous" / "good.so", "no library");
  EXPECT_THAT(refuses({"rollback", "good"}), HasSubstr("ELF"));
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(host.call("good").status, 3);
  restart();
  EXPECT_EQ(state_of("good.so"), "unloaded");
}

TEST_F(Orders, AFailedReloadLeavesTheVersionBeforeServingAlsoAfterARestart) {
  const fs::path sick = host.root() / "sick";
  start({"good"}, "[plugin.unhealthy]\nsick_while = \"" + sick.string() + "\"\n");
  host.add("unhealthy", "good.so");
  ASSERT_TRUE(eventually([&] { return host.plugin("good.so")["name"] == "unhealthy"; })) << host.log();
  obeys({"rollback", "unhealthy"});
  write_file(sick, "");
  EXPECT_THAT(refuses({"reload", "good"}), HasSubstr("the database is gone"));
  EXPECT_EQ(host.call("good").status, 0);
  fs::remove(sick);
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(host.plugin("good.so")["name"], "good");
  restart();
  EXPECT_EQ(host.plugin("good.so")["name"], "good");
}

TEST_F(Orders, OrdersAboutOnePluginAreDoneInTheirOrder) {
  start({"behaviours"});
  Process caller = host.start_busbar({"call", "sleeps", R"({"ms":1500})", "--timeout", "20000"});
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  obeys({"reload", "behaviours"});  // the version before has a call to end
  const RawClient client(host.socket());
  wire::AdminRequest order;
  for (const char* verb : {"reload", "unload"}) {
    ++order.seq;
    order.verb = verb;
    order.plugin = order.seq == 1 ? "behaviours.so" : "behaviours";
    client.send(wire::frame_of(order));
  }
  for (const std::uint64_t seq : {1U, 2U}) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->seq, seq);
    EXPECT_FALSE(answer->error) << answer->error->text;
  }
  EXPECT_EQ(state_of("behaviours.so"), "unloaded");
  ASSERT_TRUE(caller.wait());
}

TEST_F(Orders, MarksThatCannotBeReadAreToldOfAndPutAside) {
  start({"good"});
  host.stop();
  write_file(host.state() / "plugins.json", "{ no JSON");
  host.start();
  EXPECT_EQ(host.call("good").status, 0);
  EXPECT_THAT(host.log(), HasSubstr("plugins.json.bad"));
  EXPECT_TRUE(fs::exists(host.state() / "plugins.json.bad"));
}

// -- which calls go on

TEST_F(Orders, CallsThatGoOnAreShownWithWhoAsksForHowLong) {
  start({"behaviours"});
  EXPECT_EQ(host.ask({"calls"}).json["calls"], Json::array());
  Process caller = host.start_busbar({"--json", "call", "never_returns", "{}", "--timeout", "60000"});
  Json calls;
  ASSERT_TRUE(eventually([&] {
    calls = host.ask({"calls"}).json["calls"];
    return calls.size() == 1 && calls[0]["state"] == "running";
  })) << calls;
  EXPECT_EQ(calls[0]["service"], "never_returns");
  EXPECT_EQ(calls[0]["node"], "tested");
  EXPECT_EQ(calls[0]["caller"], "local");
  EXPECT_EQ(calls[0]["message_id"], calls[0]["correlation_id"]);
  EXPECT_LE(calls[0]["left_ms"].get<int>(), 60'000);
  EXPECT_THAT(host.busbar({"calls"}).out, HasSubstr("never_returns"));
  caller.signal(SIGKILL);
  ASSERT_TRUE(caller.wait());
  EXPECT_TRUE(eventually([&] { return host.ask({"calls"}).json["calls"][0]["caller_gone"] == true; }));
  host.kill();  // the handler would hold up the stop
  host.forget();
}

}  // namespace
}  // namespace busbar::system_tests
