#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace busbar::host {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    std::string name = (fs::temp_directory_path() / "busbar_config_XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    file_ = root_ / "busbar.toml";
    environment_.host_name = "host-1";
    environment_.cores = 4;
    environment_.variables["HOME"] = "/home/ada";
  }
  ~ConfigTest() override { fs::remove_all(root_); }

  void write(std::string_view text) { std::ofstream(file_) << text; }

  Config load() {
    return load_config(fs::exists(file_) ? std::optional(file_) : std::nullopt, environment_, overrides_);
  }

  std::vector<std::string> faults() { return faults_of(fs::exists(file_) ? std::optional(file_) : std::nullopt); }

  std::vector<std::string> faults_of(const std::optional<fs::path>& file) {
    try {
      load_config(file, environment_, overrides_);
      return {};
    } catch (const ConfigError& error) {
      std::vector<std::string> texts;
      for (const ConfigFault& fault : error.faults()) texts.push_back(fault.text);
      return texts;
    }
  }

  /// The only fault of a file with this text, without the words that name the file.
  std::string file_fault(std::string_view text) {
    write(text);
    const auto all = faults();
    if (all.size() != 1) return std::to_string(all.size()) + " faults";
    const std::string attempt = "could not read configuration \"" + file_.string() + "\": ";
    EXPECT_THAT(all[0], StartsWith(attempt));
    return all[0].substr(std::min(attempt.size(), all[0].size()));
  }

  std::string variable_fault(const std::string& name, const std::string& value) {
    environment_.variables[name] = value;
    const auto all = faults();
    environment_.variables.erase(name);
    return all.size() == 1 ? all[0] : std::to_string(all.size()) + " faults";
  }

  fs::path root_;
  fs::path file_;
  Environment environment_;
  Overrides overrides_;
};

TEST_F(ConfigTest, HasDefaultsForEverything) {
  const Config config = load();
  EXPECT_EQ(config.node, "host-1");
  EXPECT_EQ(config.paths.plugins, "/usr/lib/busbar/plugins");
  EXPECT_EQ(config.paths.run, "/run/busbar");
  EXPECT_EQ(config.paths.state, "/home/ada/.local/state/busbar");
  EXPECT_EQ(config.paths.cache, "/home/ada/.local/state/busbar/cache");
  EXPECT_EQ(config.plugins.trial_timeout, seconds(5));
  EXPECT_EQ(config.plugins.drain_timeout, seconds(30));
  EXPECT_EQ(config.plugins.max_retired, 20U);
  EXPECT_FALSE(config.plugins.allow_world_writable);
  EXPECT_EQ(config.pool.threads, 4U);
  EXPECT_EQ(config.pool.max_threads, 256U);
  EXPECT_EQ(config.pool.queue, 10'000U);
  EXPECT_EQ(config.shutdown.timeout, seconds(10));
  EXPECT_EQ(config.log.level, LogLevel::info);
  EXPECT_EQ(config.log.format, LogFormat::text);
  EXPECT_EQ(config.limits.max_message, 64U * 1024 * 1024);
  EXPECT_EQ(config.limits.peer_queue, 64U * 1024 * 1024);
  EXPECT_EQ(config.cluster.name, "busbar");
  EXPECT_THAT(config.cluster.join, IsEmpty());
  EXPECT_EQ(config.cluster.listen, "tcp://127.0.0.1:*");
  EXPECT_EQ(config.cluster.registry_listen, "tcp://127.0.0.1:*");
  EXPECT_EQ(config.cluster.advertise, "");
  EXPECT_FALSE(config.cluster.insecure);
  EXPECT_EQ(config.registry.heartbeat, seconds(1));
  EXPECT_EQ(config.registry.lost_after, seconds(3));
  EXPECT_TRUE(config.plugin_tables.empty());
}

TEST_F(ConfigTest, PutsDirectoriesWhereTheUsersAre) {
  environment_.variables["XDG_RUNTIME_DIR"] = "/run/user/7";
  environment_.variables["XDG_STATE_HOME"] = "/state";
  EXPECT_EQ(load().paths.run, "/run/user/7/busbar");
  EXPECT_EQ(load().paths.state, "/state/busbar");
  environment_.root = true;
  EXPECT_EQ(load().paths.state, "/var/lib/busbar");
}

TEST_F(ConfigTest, IgnoresEmptyAndRelativeXdgDirectories) {
  environment_.variables["XDG_RUNTIME_DIR"] = "";
  environment_.variables["XDG_STATE_HOME"] = "relative";
  EXPECT_EQ(load().paths.run, "/run/busbar");
  EXPECT_EQ(load().paths.state, "/home/ada/.local/state/busbar");
}

TEST_F(ConfigTest, PutsTheCacheIntoTheStateDirectoryThatIsInEffect) {
  overrides_ = {{"paths.state", "/elsewhere", "--state-dir"}};
  EXPECT_EQ(load().paths.cache, "/elsewhere/cache");
}

TEST_F(ConfigTest, ReadsEveryKindOfValueFromTheFile) {
  write(R"(
node.name = "a"
[plugins]
drain_timeout = "2m"
allow_world_writable = true
[pool]
threads = 2
[log]
level = "debug"
format = "json"
[limits]
max_message = "16MiB"
[plugin.greeter]
greeting = "Hello"
)");
  const Config config = load();
  EXPECT_EQ(config.node, "a");
  EXPECT_EQ(config.plugins.drain_timeout, seconds(120));
  EXPECT_TRUE(config.plugins.allow_world_writable);
  EXPECT_EQ(config.pool.threads, 2U);
  EXPECT_EQ(config.log.level, LogLevel::debug);
  EXPECT_EQ(config.log.format, LogFormat::json);
  EXPECT_EQ(config.limits.max_message, 16U * 1024 * 1024);
  EXPECT_EQ(config.plugin_tables.at("greeter")["greeting"], "Hello");
}

TEST_F(ConfigTest, LetsTheEnvironmentOverrideTheFileAndFlagsOverrideBoth) {
  write("[pool]\nthreads = 2\nqueue = 20\nmax_threads = 200\n[plugins]\ndrain_timeout = \"20s\"\n");
  environment_.variables["BUSBAR_PLUGINS__DRAIN_TIMEOUT"] = "10s";
  environment_.variables["BUSBAR_POOL__THREADS"] = "3";
  environment_.variables["BUSBAR_POOL__QUEUE"] = "30";
  environment_.variables["BUSBAR_PLUGINS__ALLOW_WORLD_WRITABLE"] = "true";
  overrides_ = {{"pool.queue", "40", "--queue"}, {"log.level", "warn", "--log-level"}};
  const Config config = load();
  EXPECT_EQ(config.plugins.drain_timeout, seconds(10));
  EXPECT_EQ(config.pool.threads, 3U);
  EXPECT_EQ(config.pool.max_threads, 200U);
  EXPECT_EQ(config.pool.queue, 40U);
  EXPECT_TRUE(config.plugins.allow_world_writable);
  EXPECT_EQ(config.log.level, LogLevel::warn);
}

TEST_F(ConfigTest, TakesRelativePathsFromTheFilesDirectoryOrFromTheCurrentOne) {
  write("[paths]\nplugins = \"lib/../plugins\"\nstate = \"/abs/\"\n");
  overrides_ = {{"paths.run", "run", "--run-dir"}};
  environment_.variables["BUSBAR_PATHS__CACHE"] = "./cache";
  const Config config = load();
  EXPECT_EQ(config.paths.plugins, root_ / "plugins");
  EXPECT_EQ(config.paths.state, "/abs/");
  EXPECT_EQ(config.paths.run, fs::current_path() / "run");
  EXPECT_EQ(config.paths.cache, fs::current_path() / "cache");
}

TEST_F(ConfigTest, ALogHasAFileOrNoneAndTellsOfSlowCallsOrOfNone) {
  EXPECT_EQ(load().log.file, "");
  EXPECT_EQ(load().log.slow_call, seconds(1));
  write("[log]\nfile = \"host.log\"\nslow_call = \"0s\"\n");
  EXPECT_EQ(load().log.file, root_ / "host.log");
  EXPECT_EQ(load().log.slow_call, seconds(0));
  environment_.variables["BUSBAR_LOG__FILE"] = "";
  EXPECT_EQ(load().log.file, "") << "standard error again";
  environment_.variables.clear();
  EXPECT_THAT(file_fault("[node]\nname=\"a\"\n[paths]\nstate=\"/x\"\n[log]\nfile = 1\n"),
              HasSubstr("found integer 1, expected a file's path, or \"\" for standard error"));
}

TEST_F(ConfigTest, PartsOfTheLogHaveLevelsOfTheirOwn) {
  write("[log.levels]\n\"host.dispatch\" = \"debug\"\nplugin.a.b = \"trace\"\nhost.loader = \"error\"\n");
  const auto levels = load().log.levels;
  ASSERT_EQ(levels.size(), 3U);
  EXPECT_EQ(levels.at("host.dispatch"), LogLevel::debug);
  EXPECT_EQ(levels.at("plugin.a.b"), LogLevel::trace);
  EXPECT_EQ(levels.at("host.loader"), LogLevel::error);
  EXPECT_EQ(to_json(load())["log"]["levels"]["host.loader"], "error");
  EXPECT_EQ(file_fault("[log.levels]\nhost.dispach = \"debug\"\n"),
            "line 2, column 6: unknown part \"host.dispach\" in [log.levels]; nearest known part: \"host.dispatch\"");
  EXPECT_EQ(file_fault("[log.levels]\nhost = \"wran\"\n"),
            "line 2, column 8: level of \"host\" in [log.levels]: found text \"wran\", expected one of \"trace\", "
            "\"debug\", \"info\", \"warn\", \"error\"; nearest: \"warn\"");
  EXPECT_THAT(file_fault("[log]\nlevels = 3\n"), HasSubstr("found an integer, expected the table [log.levels]"));
  EXPECT_THAT(file_fault("[log.levels]\n\"plugin.a/b\" = \"info\"\n"), HasSubstr("unknown part \"plugin.a/b\""));
  fs::remove(file_);
  environment_.variables["BUSBAR_LOG__LEVELS"] = "host=debug";
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("[log.levels] can be set in the file only")));
}

TEST_F(ConfigTest, NamesFileLineAndNearestKeyOfAnUnknownOne) {
  write("# pool\n\n[pool]\nthread = 4\n");
  EXPECT_THAT(faults(), ElementsAre("could not read configuration \"" + file_.string() +
                                    "\": line 4, column 1: unknown key \"thread\" in [pool]; nearest known key: "
                                    "\"threads\""));
}

TEST_F(ConfigTest, SaysWhatWasFoundAndExpectedForEachKindOfValue) {
  EXPECT_EQ(
      file_fault("[plugins]\ndrain_timeout = 30\n"),
      "line 2, column 17: key \"drain_timeout\" in [plugins]: found integer 30, expected a duration from 1ms to 24h "
      "as text with a unit (ms, s, m, h), such as \"30s\"");
  EXPECT_THAT(file_fault("[plugins]\ndrain_timeout = \"30\"\n"), HasSubstr("found text \"30\", expected a duration"));
  EXPECT_THAT(file_fault("[shutdown]\ntimeout = \"0s\"\n"),
              HasSubstr("found text \"0s\", expected a duration from 1ms"));
  EXPECT_THAT(file_fault("[shutdown]\ntimeout = \"25h\"\n"), HasSubstr("found text \"25h\", expected a duration from"));
  EXPECT_EQ(
      file_fault("[limits]\nmax_message = 1000000\n"),
      "line 2, column 15: key \"max_message\" in [limits]: found integer 1000000, expected a size from 1KiB to 1GiB "
      "as text with a unit (B, KiB, MiB, GiB), such as \"16MiB\"");
  EXPECT_EQ(file_fault("[pool]\nqueue = \"10\"\n"),
            "line 2, column 9: key \"queue\" in [pool]: found text \"10\", expected a whole number from 1 to 10000000");
  EXPECT_THAT(file_fault("[pool]\nqueue = 0\n"), HasSubstr("found integer 0, expected a whole number from 1 to"));
  EXPECT_THAT(file_fault("[pool]\nqueue = -1\n"), HasSubstr("found integer -1, expected a whole number"));
  EXPECT_THAT(file_fault("[pool]\nqueue = 1.5\n"),
              HasSubstr("found a number with a fraction, expected a whole number"));
  EXPECT_THAT(file_fault("[pool]\nqueue = [1]\n"), HasSubstr("found an array, expected a whole number"));
  EXPECT_THAT(file_fault("[pool]\nthreads = 2026-01-02\n"), HasSubstr("found a date or time, expected a whole number"));
  EXPECT_EQ(file_fault("[plugins]\nallow_world_writable = \"yes\"\n"),
            "line 2, column 24: key \"allow_world_writable\" in [plugins]: found text \"yes\", expected true or false");
  EXPECT_EQ(file_fault("[log]\nlevel = \"warning\"\n"),
            "line 2, column 9: key \"level\" in [log]: found text \"warning\", expected one of \"trace\", \"debug\", "
            "\"info\", \"warn\", \"error\"; nearest: \"warn\"");
  EXPECT_THAT(file_fault("[log]\nformat = true\n"), HasSubstr("found true, expected one of \"text\", \"json\""));
  EXPECT_THAT(file_fault("[paths]\nrun = {a = 1}\n"), HasSubstr("found a table, expected a path"));
  EXPECT_THAT(file_fault("[paths]\nrun = \"\"\n"), HasSubstr("found text \"\", expected a path"));
  EXPECT_THAT(file_fault("[paths]\nrun = \"a\\u0000b\"\n"), HasSubstr("found text \"a\\u0000b\", expected a path"));
}

TEST_F(ConfigTest, ChecksTheNodesName) {
  for (const char* name : {"local", "a b", "", "-a", "ü"}) {
    EXPECT_THAT(file_fault("[node]\nname = \"" + std::string(name) + "\"\n"),
                HasSubstr("found text \"" + std::string(name) +
                          "\", expected a node name: [A-Za-z0-9][A-Za-z0-9._-]{0,62}, and not \"local\""));
  }
  EXPECT_THAT(file_fault("[node]\nname = \"" + std::string(64, 'a') + "\"\n"), HasSubstr("expected a node name"));
}

TEST_F(ConfigTest, ReadsAListFromAnArrayOrBetweenCommas) {
  write("[cluster]\njoin = [\"tcp://127.0.0.1:1\", \"ipc:///run/b\"]\n");
  EXPECT_THAT(load().cluster.join, ElementsAre("tcp://127.0.0.1:1", "ipc:///run/b"));
  environment_.variables["BUSBAR_CLUSTER__JOIN"] = "tcp://127.0.0.1:2, tcp://127.0.0.1:3,";
  EXPECT_THAT(load().cluster.join, ElementsAre("tcp://127.0.0.1:2", "tcp://127.0.0.1:3"));
  overrides_ = {{"cluster.join", "tcp://127.0.0.1:4", "--join"}};
  EXPECT_THAT(load().cluster.join, ElementsAre("tcp://127.0.0.1:4"));
  EXPECT_EQ(to_json(load())["cluster"]["join"], nlohmann::ordered_json({"tcp://127.0.0.1:4"}));
  overrides_ = {{"cluster.join", "", "--join"}};
  EXPECT_THAT(load().cluster.join, IsEmpty());
}

TEST_F(ConfigTest, ChecksEachTextOfAList) {
  EXPECT_EQ(
      file_fault("[cluster]\njoin = [\"tcp://127.0.0.1:1\", \"nonsense\"]\n"),
      "line 2, column 8: key \"join\" in [cluster]: found [\"tcp://127.0.0.1:1\", \"nonsense\"], expected an array "
      "of texts: addresses of other nodes' registries, such as tcp://127.0.0.1:4711");
  EXPECT_THAT(file_fault("[cluster]\njoin = [1]\n"), HasSubstr("found an array, expected an array of texts"));
  EXPECT_THAT(file_fault("[cluster]\njoin = \"tcp://127.0.0.1:1\"\n"), HasSubstr("found text \"tcp://127.0.0.1:1\""));
  EXPECT_THAT(file_fault("[cluster]\njoin = [\"tcp://127.0.0.1:*\"]\n"), HasSubstr("expected an array of texts"));
}

TEST_F(ConfigTest, ChecksAddressesAndHosts) {
  EXPECT_THAT(file_fault("[cluster]\nlisten = \"127.0.0.1:1\"\n"),
              HasSubstr("key \"listen\" in [cluster]: found text \"127.0.0.1:1\", expected an address to listen at: "
                        "tcp://HOST:PORT"));
  EXPECT_THAT(file_fault("[cluster]\nregistry_listen = \"tcp://127.0.0.1\"\n"), HasSubstr("key \"registry_listen\""));
  EXPECT_THAT(file_fault("[cluster]\nadvertise = \"tcp://a:1\"\n"), HasSubstr("expected a host that others can reach"));
  EXPECT_THAT(file_fault("[cluster]\nname = \"a b\"\n"), HasSubstr("expected a cluster's name"));
  write("[cluster]\nadvertise = \"fd00::7\"\n");
  EXPECT_EQ(load().cluster.advertise, "fd00::7");
}

TEST_F(ConfigTest, RefusesAddressesThatOtherMachinesReachUnlessToldInsecure) {
  overrides_ = {{"cluster.listen", "tcp://0.0.0.0:4711", "--listen"}};
  environment_.variables["BUSBAR_CLUSTER__REGISTRY_LISTEN"] = "tcp://*:4712";
  write("[cluster]\njoin = [\"tcp://127.0.0.1:1\", \"tcp://10.0.0.1:1\"]\n");
  const auto all = faults();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_THAT(all[0],
              StartsWith("could not use the configuration: cluster.listen (--listen) is \"tcp://0.0.0.0:4711\""));
  EXPECT_THAT(all[0], HasSubstr("--insecure"));
  EXPECT_THAT(all[1], HasSubstr("cluster.registry_listen (BUSBAR_CLUSTER__REGISTRY_LISTEN) is \"tcp://*:4712\""));
  EXPECT_THAT(all[2], HasSubstr("cluster.join (line 2 of"));
  EXPECT_THAT(all[2], HasSubstr("\"tcp://10.0.0.1:1\""));
  overrides_.push_back({"cluster.insecure", "true", "--insecure"});
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(ConfigTest, TakesOnlyAddressesOfThisMachineForHttpUnlessToldInsecure) {
  write("[http]\nlisten = \"127.0.0.1:9464\"\n");
  EXPECT_EQ(load().http.listen, "127.0.0.1:9464");
  write("[http]\nlisten = \"[::1]:0\"\n");
  EXPECT_EQ(load().http.listen, "[::1]:0");
  for (const char* wrong : {"9464", "localhost:9464", "127.0.0.1", "127.0.0.1:*", "*:9464", "tcp://127.0.0.1:1"}) {
    EXPECT_THAT(file_fault("[http]\nlisten = \"" + std::string(wrong) + "\"\n"),
                HasSubstr("expected an IP address and a port, such as \"127.0.0.1:9464\""));
  }
  write("[security]\nmode = \"curve\"\n[http]\nlisten = \"0.0.0.0:9464\"\n");
  const auto all = faults();
  ASSERT_EQ(all.size(), 1u) << "keys do not help here";
  EXPECT_THAT(all[0], StartsWith("could not use the configuration: http.listen (line 4 of"));
  EXPECT_THAT(all[0], HasSubstr("http.insecure = true"));
  write("[http]\nlisten = \"0.0.0.0:9464\"\ninsecure = true\n");
  EXPECT_TRUE(load().http.insecure);
}

TEST_F(ConfigTest, RequiresServicesByTheirNames) {
  environment_.variables["BUSBAR_READINESS__REQUIRE"] = "greet, echo";
  EXPECT_THAT(load().readiness.require, ::testing::ElementsAre("greet", "echo"));
  environment_.variables.erase("BUSBAR_READINESS__REQUIRE");
  EXPECT_THAT(file_fault("[readiness]\nrequire = [\"Greet\"]\n"), HasSubstr("names of services: "));
}

TEST_F(ConfigTest, RefusesALossThatASingleLateHeartbeatWouldBe) {
  write("[registry]\nheartbeat = \"2s\"\n");
  const auto all = faults();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0], HasSubstr("registry.lost_after is 3s (the default), registry.heartbeat is 2s (line 2 of"));
  write("[registry]\nheartbeat = \"2s\"\nlost_after = \"4s\"\n");
  EXPECT_EQ(load().registry.lost_after, seconds(4));
}

TEST_F(ConfigTest, ChecksTheHostNameWhereItIsNeeded) {
  environment_.host_name = "local";
  EXPECT_THAT(faults(),
              ElementsAre("could not name this node after its host: found the host name \"local\", expected a "
                          "node name: [A-Za-z0-9][A-Za-z0-9._-]{0,62}, and not \"local\" (hint: set node.name "
                          "or --node)"));
  overrides_ = {{"node.name", "a", "--node"}};
  EXPECT_EQ(load().node, "a");
}

TEST_F(ConfigTest, TellsAllFaultsOfAllLayersAtOnce) {
  write("[pool]\nthread = 4\nqueue = 0\n");
  environment_.variables["BUSBAR_POOL__QUEUE"] = "many";
  overrides_ = {{"log.level", "loud", "--log-level"}};
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("line 2"), HasSubstr("line 3"), HasSubstr("BUSBAR_POOL__QUEUE"),
                                    HasSubstr("--log-level")));
}

TEST_F(ConfigTest, CutsAListOfFaultsThatNobodyWouldRead) {
  std::string text = "[pool]\n";
  for (int i = 0; i < 1000; ++i) text += "unknown_" + std::to_string(i) + " = 1\n";
  write(text);
  const auto all = faults();
  ASSERT_EQ(all.size(), 21U);
  EXPECT_THAT(all.back(), HasSubstr("\": 980 more faults"));
}

TEST_F(ConfigTest, NamesTheVariableInAFault) {
  EXPECT_EQ(
      variable_fault("BUSBAR_PLUGINS__DRAIN_TIMEOUT", "10"),
      "could not read the environment: BUSBAR_PLUGINS__DRAIN_TIMEOUT: found \"10\", expected a duration from 1ms to "
      "24h as text with a unit (ms, s, m, h), such as \"30s\"");
  EXPECT_THAT(variable_fault("BUSBAR_POOL__THREADS", ""), HasSubstr("found \"\", expected a whole number from 1 to"));
  EXPECT_THAT(variable_fault("BUSBAR_POOL__THREADS", "4 "), HasSubstr("found \"4 \", expected a whole number"));
  EXPECT_THAT(variable_fault("BUSBAR_PLUGINS__ALLOW_WORLD_WRITABLE", "1"),
              HasSubstr("found \"1\", expected true or false"));
  EXPECT_THAT(variable_fault("BUSBAR_NODE__NAME", "a\nb"), HasSubstr("found \"a\\nb\", expected a node name"));
}

TEST_F(ConfigTest, RefusesVariablesThatAreMeantForItButUnknown) {
  const auto unknown = [](const char* found, const char* meant) {
    return "could not read the environment: unknown variable \"" + std::string(found) +
           "\"; nearest known variable: \"" + meant + "\"";
  };
  for (const char* name : {"BUSBAR_POOL__THREAD", "BUSBAR_POL__THREADS", "BUSBAR_POOL_THREADS", "BUSBAR_POOL_THREAD"}) {
    EXPECT_EQ(variable_fault(name, "4"), unknown(name, "BUSBAR_POOL__THREADS"));
  }
  EXPECT_EQ(variable_fault("BUSBAR_pool__queue", "4"), unknown("BUSBAR_pool__queue", "BUSBAR_POOL__QUEUE"));
  EXPECT_THAT(variable_fault("BUSBAR_NETWORK__LISTEN", "x"), HasSubstr("unknown variable \"BUSBAR_NETWORK__LISTEN\""));
  EXPECT_THAT(variable_fault("BUSBAR_PLUGIN__GREETER__GREETING", "x"),
              HasSubstr("the tables [plugin.NAME] can be set in the file only"));
}

TEST_F(ConfigTest, IgnoresVariablesThatAreNotMeantForIt) {
  environment_.variables["BUSBAR_SERVICE_HOST"] = "10.0.0.1";
  environment_.variables["BUSBAR_PORT_5555_TCP_ADDR"] = "10.0.0.1";
  environment_.variables["BUSBAR_NODE_SERVICE_HOST"] = "10.0.0.1";
  environment_.variables["MY_BUSBAR_POOL__THREAD"] = "4";
  environment_.variables["POOL__THREADS"] = "4";
  EXPECT_NO_THROW(load());
}

TEST_F(ConfigTest, NamesTheFlagInAFault) {
  overrides_ = {{"node.name", "local", "--node"}, {"paths.run", "", "--run-dir"}, {"pool.thread", "4", "--threads"}};
  EXPECT_THAT(faults(),
              ElementsAre(HasSubstr("could not read the command line: --node: found \"local\", expected a node name"),
                          "could not read the command line: --run-dir: found \"\", expected a path",
                          "could not read the command line: --threads: unknown key \"pool.thread\"; nearest known key: "
                          "\"pool.threads\""));
}

TEST_F(ConfigTest, RefusesMoreThreadsThanMayExist) {
  write("[pool]\nthreads = 8\n");
  environment_.variables["BUSBAR_POOL__MAX_THREADS"] = "4";
  EXPECT_THAT(faults(),
              ElementsAre("could not use the configuration: pool.threads is 8 (line 2 of \"" + file_.string() +
                          "\"), pool.max_threads is 4 (BUSBAR_POOL__MAX_THREADS), expected at most as many "
                          "threads as max_threads"));
  environment_.variables.clear();
  environment_.variables["HOME"] = "/home/ada";
  write("[pool]\nthreads = 300\n");
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("pool.max_threads is 256 (the default)")));
}

TEST_F(ConfigTest, LimitsTheDefaultOfThreadsByTheirMaximum) {
  environment_.cores = 1000;
  EXPECT_EQ(load().pool.threads, 256U);
  write("[pool]\nmax_threads = 1\n");
  EXPECT_EQ(load().pool.threads, 1U);
}

TEST_F(ConfigTest, RefusesOneDirectoryForTwoPurposes) {
  overrides_ = {{"paths.run", "/x/y/", "--run-dir"}, {"paths.cache", "/x/z/../y", "--cache-dir"}};
  EXPECT_THAT(faults(),
              ElementsAre("could not use the configuration: paths.run (--run-dir) and paths.cache (--cache-dir) "
                          "are both \"/x/y/\", expected different directories"));
}

TEST_F(ConfigTest, NeedsAHomeOrAStateDirectory) {
  environment_.variables.clear();
  EXPECT_THAT(faults(),
              ElementsAre("could not choose a state directory: found neither XDG_STATE_HOME nor HOME, expected "
                          "an absolute path in one of them (hint: set paths.state or --state-dir)"));
  overrides_ = {{"paths.state", "/state", "--state-dir"}};
  EXPECT_NO_THROW(load());
}

TEST_F(ConfigTest, SaysWhyAFileCannotBeRead) {
  EXPECT_THAT(faults_of(file_),
              ElementsAre("could not read configuration \"" + file_.string() + "\": no such file or directory"));
  EXPECT_THAT(faults_of(root_), ElementsAre("could not read configuration \"" + root_.string() +
                                            "\": found a directory, expected a file"));
  write("");
  EXPECT_THAT(faults_of(file_ / "below"), ElementsAre(HasSubstr("not a directory")));
  EXPECT_THAT(faults_of("/proc/self/mem"), ElementsAre(HasSubstr("\"/proc/self/mem\": input/output error")));
  if (::geteuid() != 0) {
    fs::permissions(file_, fs::perms::none);
    EXPECT_THAT(faults_of(file_), ElementsAre(HasSubstr("permission denied")));
  }
}

TEST_F(ConfigTest, RefusesAFileThatIsFarTooLarge) {
  EXPECT_THAT(file_fault(std::string(1024 * 1024 + 1, '#')), HasSubstr("found more than 1MiB"));
  EXPECT_THAT(faults_of("/dev/zero"), ElementsAre(HasSubstr("found more than 1MiB")));
}

TEST_F(ConfigTest, KeysLieWhereTheNodesNameSaysUnlessToldOtherwise) {
  write("[node]\nname = \"warehouse-1\"\n[security]\nmode = \"curve\"\n");
  EXPECT_EQ(load().security.key, "/etc/busbar/keys/warehouse-1.key");
  EXPECT_EQ(load().security.authorized, "/etc/busbar/authorized");
  write("[security]\nmode = \"curve\"\nkey = \"own.key\"\nauthorized = \"others\"\n");
  EXPECT_EQ(load().security.key, root_ / "own.key");
  EXPECT_EQ(load().security.authorized, root_ / "others");
}

TEST_F(ConfigTest, NobodyTakesItForSecureWhereItIsNot) {
  const auto fault = [&](std::string_view text) {
    write(text);
    return faults_of(file_).at(0);
  };
  EXPECT_THAT(fault("[security]\nkey = \"own.key\"\n"), HasSubstr("is of no use, as security.mode (the default)"));
  EXPECT_THAT(file_fault("[security]\nmode = \"tls\"\n"), HasSubstr("expected \"none\" or \"curve\""));
  EXPECT_THAT(fault("[security]\nmode = \"curve\"\n[cluster]\ninsecure = true\n"), HasSubstr("one of them"));
  EXPECT_THAT(fault("[cluster]\nlisten = \"tcp://10.0.0.1:1\"\n"), HasSubstr("busbar keygen"));
  write("[security]\nmode = \"curve\"\n[cluster]\nlisten = \"tcp://10.0.0.1:1\"\n");
  EXPECT_NO_THROW(load());
}

TEST_F(ConfigTest, AsManyConnectionsMayBeAsPeers) {
  write("[registry]\nmax_peers = 6000\n");
  EXPECT_THAT(faults_of(file_), ElementsAre(HasSubstr("limits.connections is 5000")));
  write("[registry]\nmax_peers = 6000\n[limits]\nconnections = 6000\n");
  EXPECT_NO_THROW(load());
}

TEST_F(ConfigTest, QuotesAFilesNameSoThatItCannotForgeLines) {
  EXPECT_THAT(faults_of(root_ / "a\nb"), ElementsAre(HasSubstr("/a\\nb\": no such file")));
}

TEST_F(ConfigTest, PutsEachFaultOnALineOfWhat) {
  const ConfigError error({{"one"}, {"two"}});
  EXPECT_STREQ(error.what(), "one\ntwo");
}

TEST_F(ConfigTest, ShowsWhatIsInEffectInTheFilesOwnUnits) {
  write("[plugins]\ndrain_timeout = \"90s\"\n[plugin.greeter]\ngreeting = \"Hello\"\n");
  environment_.variables["BUSBAR_PATHS__RUN"] = "/r\xff";
  const auto shown = to_json(load());
  EXPECT_EQ(shown["node"]["name"], "host-1");
  EXPECT_EQ(shown["plugins"]["drain_timeout"], "90s");
  EXPECT_EQ(shown["plugins"]["allow_world_writable"], false);
  EXPECT_EQ(shown["pool"]["threads"], 4);
  EXPECT_EQ(shown["limits"]["max_message"], "64MiB");
  EXPECT_EQ(shown["log"]["level"], "info");
  EXPECT_EQ(shown["paths"]["run"], "/r\uFFFD");
  EXPECT_EQ(shown["plugin"]["greeter"]["greeting"], "Hello");
  EXPECT_NO_THROW(shown.dump());
}

TEST(EnvironmentOfThisProcess, HasItsVariablesAndItsMachine) {
  ASSERT_EQ(::setenv("BUSBAR_TEST_VARIABLE", "a=b", 1), 0);
  const Environment environment = Environment::of_this_process();
  EXPECT_EQ(environment.variables.at("BUSBAR_TEST_VARIABLE"), "a=b");
  EXPECT_EQ(environment.root, ::geteuid() == 0);
  EXPECT_GE(environment.cores, 1U);
  EXPECT_FALSE(environment.host_name.empty());
}

}  // namespace
}  // namespace busbar::host
