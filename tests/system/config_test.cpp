// `busbar config check | show | reload`: what is wrong with a file, what a host runs with, and what may change
// meanwhile.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

/// The row of a key, or null.
Json row_of(const Json& rows, const std::string& key) {
  for (const Json& row : rows) {
    if (row.value("key", "") == key) return row;
  }
  return {};
}

std::vector<std::string> keys_in(const Json& rows) {
  std::vector<std::string> out;
  for (const Json& row : rows) out.push_back(row.value("key", ""));
  return out;
}

// ------------------------------------------------------------------------------------------------------------- check

class ConfigCheck : public SystemTest {
 protected:
  fs::path file() const { return host.root() / "busbar.toml"; }
  Answer check(std::string_view toml) {
    host.configure(toml);
    return host.ask({"config", "check", file()});
  }
};

TEST_F(ConfigCheck, SaysOfAFileThatItIsGood) {
  const Answer good = check("[pool]\nqueue = 5\n");
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_EQ(good.json, Json({{"good", true}, {"file", file().string()}, {"faults", Json::array()}}));
  EXPECT_THAT(host.busbar({"config", "check", file()}).out, HasSubstr("is good"));
}

TEST_F(ConfigCheck, AndWhateverElseBusbardTellsFailsWhereItCannotBeWritten) {
  host.configure("");
  for (const std::vector<std::string>& program :
       std::vector<std::vector<std::string>>{{tested::busbar(), "config", "check", file()},
                                             {tested::busbar(), "doctor", "--run-dir", host.run_dir()},
                                             {tested::busbard(), "--print-config"},
                                             {tested::busbard(), "--help"},
                                             {tested::busbar(), "--help"}}) {
    Command command;
    command.arguments = {"/bin/sh", "-c", "exec \"$@\" >/dev/full", "sh"};
    command.arguments.insert(command.arguments.end(), program.begin(), program.end());
    command.scratch = host.root() / "said";
    const Ended ended = run(command);
    EXPECT_EQ(ended.status, 1) << program[1];
    EXPECT_THAT(ended.err, HasSubstr("could not write to standard output")) << program[1];
  }
}

TEST_F(ConfigCheck, SaysAllThatIsWrongWithLineExpectationAndNearestKey) {
  const Answer bad = check("[pool]\nqueue = 0\nthread = 4\n[log]\nlevel = \"inf\"\n");
  EXPECT_EQ(bad.status, 1);
  EXPECT_EQ(bad.json["good"], false);
  ASSERT_EQ(bad.json["faults"].size(), 3U) << bad.out;
  const auto fault = [&](int line, const char* text) {
    for (const Json& each : bad.json["faults"]) {
      if (each.value("line", 0) == line && each.value("text", "").find(text) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(fault(2, "expected a whole number from 1 to 10000000")) << bad.out;
  EXPECT_TRUE(fault(3, "nearest known key: \"threads\"")) << bad.out;
  EXPECT_TRUE(fault(5, "nearest: \"info\"")) << bad.out;
  const Ended people = host.busbar({"config", "check", file()});
  EXPECT_EQ(people.status, 1);
  EXPECT_THAT(people.out, HasSubstr("line 3, column 1: unknown key \"thread\""));
  EXPECT_THAT(people.out, HasSubstr("3 faults"));
}

TEST_F(ConfigCheck, LooksAtTheEnvironmentToo) {
  host.configure("");
  Command command;
  command.arguments = {tested::busbar(), "config", "check", file()};
  command.variables["BUSBAR_POOL__QUEU"] = "5";
  command.scratch = host.root() / "said";
  const Ended bad = run(command);
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.out, HasSubstr("nearest known variable: \"BUSBAR_POOL__QUEUE\""));
}

TEST_F(ConfigCheck, SaysWhatIsNoFile) {
  EXPECT_THAT(host.busbar({"config", "check", host.root() / "nowhere"}).out, HasSubstr("no such file"));
  EXPECT_THAT(host.busbar({"config", "check", host.root()}).out, HasSubstr("found a directory"));
  EXPECT_EQ(host.busbar({"config", "chek"}).status, 2);
  EXPECT_EQ(host.busbar({"config", "show", "--secrets"}).status, 7) << "no host runs";
}

// ------------------------------------------------------------------------------------------------------ show, reload

class ConfigOfAHost : public SystemTest {
 protected:
  void start(std::string_view toml, std::vector<std::string> more = {}) {
    host.configure(toml);
    host.start(std::move(more));
  }
  Answer reload() const { return host.ask({"config", "reload"}); }
  Answer reload(std::string_view toml) {
    host.configure(toml);
    return reload();
  }
  Json shown(const std::string& key) const { return row_of(host.ask({"config", "show"}).json["keys"], key); }
  Json value(const std::string& key) const { return shown(key)["value"]; }
};

TEST_F(ConfigOfAHost, ShowSaysWhereEachValueComesFromAndHidesWhatMayBeSecret) {
  host.variables["BUSBAR_POOL__QUEUE"] = "77";
  start("# here\n[log]\nlevel = \"warn\"\n[plugin.behaviours]\npassword = \"geheim\"\n", {"--cluster", "ours"});
  EXPECT_EQ(shown("log.level")["source"], "file");
  EXPECT_THAT(shown("log.level")["where"].get<std::string>(), HasSubstr("line 3 of "));
  EXPECT_EQ(shown("pool.queue"), Json({{"key", "pool.queue"},
                                       {"value", 77},
                                       {"source", "environment"},
                                       {"live", false},
                                       {"where", "BUSBAR_POOL__QUEUE"}}));
  EXPECT_EQ(shown("cluster.name")["where"], "--cluster");
  EXPECT_EQ(shown("pool.max_threads")["source"], "default");
  const Ended people = host.busbar({"config", "show"});
  EXPECT_THAT(people.out, HasSubstr("[plugin.behaviours] {\"password\":\"(hidden)\"}"));
  EXPECT_THAT(people.out + host.ask({"config", "show"}).out, Not(HasSubstr("geheim")));
  EXPECT_EQ(host.ask({"config", "show", "--secrets"}).json["plugin_tables"]["behaviours"]["password"], "geheim");
  const std::string address = host.ask({"status"}).json["cluster"]["address"];
  EXPECT_EQ(host.busbar({"config", "show"}).status, 0);
  Command outside;
  outside.arguments = {tested::busbar(), "--connect", address, "config", "show"};
  outside.scratch = host.root() / "said";
  EXPECT_EQ(run(outside).status, 2) << "only over the host's own run directory";
}

TEST_F(ConfigOfAHost, TheLevelsOfPartsTakeEffectToo) {
  start("[log.levels]\n\"host.admin\" = \"error\"\n");
  EXPECT_EQ(value("log.levels"), Json({{"host.admin", "error"}}));
  const Answer done = reload("[log.levels]\n\"host.loader\" = \"debug\"\n");
  EXPECT_EQ(done.status, 0) << done.err;
  const Json changed = row_of(done.json["changed"], "log.levels");
  EXPECT_EQ(changed["before"], Json({{"host.admin", "error"}}));
  EXPECT_EQ(changed["value"], Json({{"host.loader", "debug"}}));
  const Json parts = host.ask({"log-level"}).json["parts"];
  const auto level_of = [&](const std::string& part) {
    for (const Json& row : parts) {
      if (row["part"] == part) return row["level"].get<std::string>();
    }
    return std::string();
  };
  EXPECT_EQ(level_of("host.loader"), "debug");
  EXPECT_EQ(level_of("host.admin"), "info");
  EXPECT_THAT(host.log(), HasSubstr(R"(before="{\"host.admin\":\"error\"}" value="{\"host.loader\":\"debug\"}")"));
  EXPECT_TRUE(reload().json["changed"].empty());
}

TEST_F(ConfigOfAHost, WhatMayChangeTakesEffectAndWhatMayNotIsTold) {
  host.add("behaviours");
  const auto file = [](const std::string& level, const std::string& trial, const std::string& more) {
    return "[log]\nlevel = \"" + level + "\"\n[plugins]\nmax_retired = 7\ntrial_timeout = \"" + trial + "\"\n" + more;
  };
  const std::string table = "[plugin.behaviours]\ngreeting = \"Good day\"\n[pool]\nqueue = 99\n";
  start(file("error", "10m", "[plugin.behaviours]\ngreeting = \"Hello\"\n"));
  EXPECT_EQ(host.log(), "");
  const Answer done = reload(file("info", "10m", table));
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.json["reloaded"], true);
  EXPECT_THAT(keys_in(done.json["changed"]), ElementsAre("log.level"));
  const Json level = row_of(done.json["changed"], "log.level");
  EXPECT_EQ(level["before"], "error");
  EXPECT_EQ(level["value"], "info");
  EXPECT_THAT(keys_in(done.json["needs_restart"]), ElementsAre("pool.queue"));
  EXPECT_EQ(done.json["needs_restart"][0]["value"], 10000);
  EXPECT_EQ(done.json["needs_restart"][0]["after_restart"], 99);
  EXPECT_EQ(done.json["plugins"], Json::array({"behaviours"}));
  EXPECT_THAT(host.log(), HasSubstr("configuration reloaded")) << "at the level that holds now";
  EXPECT_EQ(value("log.level"), "info");
  EXPECT_EQ(value("pool.queue"), 10000) << "what needs a restart is not in effect";
  EXPECT_THAT(host.busbar({"config", "reload"}).out, HasSubstr("waits for a restart")) << "for as long as it is so";

  EXPECT_EQ(host.call("configured").json["value"], Json({{"greeting", "Hello"}}));
  EXPECT_EQ(host.ask({"reload", "behaviours"}).status, 0);
  EXPECT_EQ(host.call("configured").json["value"], Json({{"greeting", "Good day"}}));

  EXPECT_THAT(keys_in(reload(file("info", "300ms", table)).json["changed"]), ElementsAre("plugins.trial_timeout"));
  const Answer hangs = host.ask({"load", tested::plugin("hangs_in_create")});
  EXPECT_EQ(hangs.status, 1) << "and not after ten minutes";
  EXPECT_THAT(hangs.out, HasSubstr("300 ms"));
}

// What the file allows is not what the host that runs is allowed. Nobody is at that address if it is dialled all the
// same: its name is of those that never have one (RFC 6761).
TEST_F(ConfigOfAHost, ASeedThatIsNotAllowedYetWaitsTogetherWithWhatAllowsIt) {
  const std::string seed = "tcp://other-machine.invalid:4711";
  const std::string join = "join = [\"" + seed + "\"]\n";
  start("");
  const auto expect_waits = [&](const std::string& toml, const std::string& with) {
    SCOPED_TRACE(with);
    const Answer done = reload(toml);
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_THAT(keys_in(done.json["changed"]), ElementsAre("log.level")) << "whatever else is live";
    EXPECT_THAT(keys_in(done.json["needs_restart"]), UnorderedElementsAre("cluster.join", with));
    const Json row = row_of(done.json["needs_restart"], "cluster.join");
    EXPECT_EQ(row["value"], Json::array());
    EXPECT_EQ(row["after_restart"], Json::array({seed}));
    EXPECT_EQ(row["with"], Json::array({with}));
    EXPECT_FALSE(row_of(done.json["needs_restart"], with).contains("with"));
    EXPECT_EQ(value("cluster.join"), Json::array());
    EXPECT_THAT(host.busbar({"config", "reload"}).out, HasSubstr("waits together with " + with));
    EXPECT_THAT(host.log(), HasSubstr(" with=" + with + "\n"));
    EXPECT_THAT(host.busbar({"doctor"}).out, HasSubstr("may change only together with " + with));
  };
  expect_waits("[log]\nlevel = \"debug\"\n[cluster]\ninsecure = true\n" + join, "cluster.insecure");
  expect_waits("[log]\nlevel = \"info\"\n[cluster]\n" + join + "[security]\nmode = \"curve\"\n", "security.mode");
  EXPECT_THAT(host.log(), Not(HasSubstr("could not reach seed"))) << "nobody was dialled";
}

TEST_F(ConfigOfAHost, AnythingWrongAppliesNothing) {
  start("[log]\nlevel = \"error\"\n");
  const Answer refused = reload("[log]\nlevel = \"debug\"\n[pool]\nqueue = \"many\"\n");
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.json["reloaded"], false);
  ASSERT_EQ(refused.json["faults"].size(), 1U);
  EXPECT_EQ(refused.json["faults"][0]["line"], 4);
  EXPECT_THAT(refused.json["changed"], IsEmpty());
  EXPECT_EQ(value("log.level"), "error");
  EXPECT_THAT(host.log(), HasSubstr("nothing has changed"));
  EXPECT_THAT(host.log(), HasSubstr("found text \\\"many\\\""));
  const Ended shown = host.busbar({"config", "show"});
  EXPECT_THAT(shown.out, HasSubstr("a host would not start with this any more"));
  const Ended people = host.busbar({"config", "reload"});
  EXPECT_THAT(people.err, HasSubstr("nothing was changed"));
}

TEST_F(ConfigOfAHost, AFileThatIsNoFileAnyMoreAppliesNothing) {
  const fs::path file = host.root() / "busbar.toml";
  start("[log]\nlevel = \"error\"\n");
  const auto expect_refused = [&](const char* why) {
    const Answer refused = reload();
    EXPECT_EQ(refused.status, 1) << why;
    EXPECT_THAT(refused.json["faults"].dump(), HasSubstr(why));
    EXPECT_EQ(value("log.level"), "error") << why;
  };
  fs::remove(file);
  expect_refused("no such file");
  fs::create_directory(file);
  expect_refused("found a directory");
  fs::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  expect_refused("found a pipe");
  fs::remove(file);
  fs::create_symlink(file, file);  // who is root may read whatever can be opened
  expect_refused("symbolic links");
  fs::remove(file);
  EXPECT_EQ(reload("[log]\nlevel = \"warn\"\n").status, 0) << "and then it goes on";
  EXPECT_EQ(value("log.level"), "warn");
}

TEST_F(ConfigOfAHost, SighupReloads) {
  start("[log]\nlevel = \"error\"\n");
  host.configure("[log]\nlevel = \"info\"\n");
  host.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return host.log().find("configuration reloaded") != std::string::npos; }));
  host.configure("[log\n");
  host.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return host.log().find("nothing has changed") != std::string::npos; }));
  EXPECT_EQ(value("log.level"), "info");
}

TEST_F(ConfigOfAHost, WhatTheEnvironmentSaysGoesOnOverridingTheFile) {
  host.variables["BUSBAR_LOG__LEVEL"] = "warn";
  start("[log]\nlevel = \"error\"\n");
  EXPECT_THAT(reload("[log]\nlevel = \"info\"\n").json["changed"], IsEmpty());
  EXPECT_EQ(value("log.level"), "warn");
}

TEST_F(ConfigOfAHost, ReloadsAtTheSameTimeAreOneAfterTheOther) {
  start("[log]\nlevel = \"error\"\n");
  host.configure("[log]\nlevel = \"warn\"\n[plugins]\nmax_retired = 7\n");
  std::vector<Process> reloads;
  for (int i = 0; i < 4; ++i) reloads.push_back(host.start_busbar({"--json", "config", "reload"}));
  host.process().signal(SIGHUP);
  std::size_t changes = 0;
  for (Process& each : reloads) {
    const auto ended = each.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->status, 0) << ended->err;
    changes += Json::parse(ended->out)["changed"].size();
  }
  EXPECT_LE(changes, 2U) << "what one has changed is no change for the next";
  EXPECT_EQ(value("plugins.max_retired"), 7);
}

TEST_F(ConfigOfAHost, TheTimeToStopIsTheOneThatHoldsThen) {
  host.add("behaviours");
  start("[shutdown]\ntimeout = \"1h\"\n");
  const Process call = host.start_busbar({"call", "sleeps", R"({"ms":90000})", "--timeout", "3600000"});
  ASSERT_TRUE(eventually([&] { return !host.ask({"calls"}).json["calls"].empty(); }));
  EXPECT_EQ(reload("[shutdown]\ntimeout = \"100ms\"\n").status, 0);
  host.stop();  // which would wait for the call
}

// ----------------------------------------------------------------------------------------------------------- seeds

class ConfigOfACluster : public ClusterTest {};

TEST_F(ConfigOfACluster, OtherSeedsAreJoinedWithoutARestart) {
  cluster.add("a");
  TestHost& b = cluster.make("b");
  b.start({"--node", "b"});
  EXPECT_EQ(states_of(b), Json({{"b", "self"}}));
  const std::string usual = read_file(b.root() / "busbar.toml");
  b.configure(usual + "[cluster]\njoin = [\"" + cluster.seed() + "\"]\n");
  EXPECT_THAT(keys_in(b.ask({"config", "reload"}).json["changed"]), ElementsAre("cluster.join"));
  EXPECT_TRUE(cluster.wait_until_whole());
  b.configure(usual);
  EXPECT_THAT(keys_in(b.ask({"config", "reload"}).json["changed"]), ElementsAre("cluster.join"));
  EXPECT_EQ(states_of(b), Json({{"b", "self"}, {"a", "up"}})) << "no connection ends by it";
}

}  // namespace
}  // namespace busbar::system_tests
