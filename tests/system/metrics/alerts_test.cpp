// Each alert is fired by its fault, and by nothing else: three hosts with keys, and Debian's prometheus.
#include <sys/stat.h>

#include <algorithm>
#include <regex>

#include "system/metrics/prometheus.hpp"
#include "system/support/raw_connections.hpp"
#include "system/support/test_cluster.hpp"
#include "system/support/test_keys.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;

const fs::path kRules = fs::path(BUSBAR_PROMETHEUS_FILES) / "alerts.yml";

/// The names of all alerts that there are.
std::set<std::string> all_alerts() {
  static const std::regex line("- alert: (\\w+)");
  const std::string text = read_file(kRules);
  std::set<std::string> out;
  for (std::sregex_iterator each(text.begin(), text.end(), line), end; each != end; ++each) out.insert((*each)[1]);
  return out;
}

class Alerts : public ClusterTest {
 protected:
  void SetUp() override {
    if (std::string_view(BUSBAR_PROMETHEUS).find("NOTFOUND") != std::string_view::npos) GTEST_SKIP() << "no prometheus";
  }
  void TearDown() override {
    for (const char* name : {"a", "b", "c", "d"}) {  // with calls that never end inside
      if (made_.contains(name) && cluster[name].started()) cluster.kill(name);
    }
  }

  TestHost& add(const std::string& name, const std::vector<std::string>& plugins, const std::string& more) {
    keys_.make(name);
    TestHost& host = cluster.make(name);
    host.configure("[registry]\nheartbeat = \"200ms\"\nlost_after = \"2s\"\n" + more);
    for (const auto& plugin : plugins) host.add(plugin);
    cluster.start(name, keys_.flags(name));
    made_.insert(name);
    return host;
  }
  static std::string http(const TestHost& host) { return host.ask({"status"}).json["http"]["address"]; }
  /// Calls that are not waited for.
  void begin(TestHost& host, const std::string& service, const Json& request) {
    callers_.push_back(host.start_busbar({"call", service, request.dump(), "--timeout", "600000"}));
  }

  /// A scrape that takes longer than it may, on a busy machine, is a host that is down for a moment; and what was
  /// scraped of c may have been enough for it to tell of d's restarts.
  static std::set<std::string> raised_besides(Prometheus& prometheus, const std::set<std::string>& expected) {
    std::set<std::string> others = prometheus.raised();
    std::erase_if(others, [&](const std::string& each) {
      return expected.contains(each) || each == "BusbarHostDown a" || each == "BusbarHostDown b" ||
             each == "BusbarReconnectStorm c";
    });
    return others;
  }

  // -- the faults

  void calls_fail(TestHost& host) {
    for (int i = 0; i < 3; ++i) host.call("throws");
    for (int i = 0; i < 8; ++i) host.call("sleeps", {{"ms", 100}}, {"--timeout", "10"});
    for (int i = 0; i < 2; ++i) host.call("sleeps", {{"ms", 1200}});
  }
  void plugins_misbehave(TestHost& host) {
    host.add("no_entry");
    host.add("no_entry", "echo.so");
    const fs::path fifo = host.root() / "fifo";
    ::mkfifo(fifo.c_str(), 0600);
    EXPECT_EQ(host.call("leave_thread", {{"path", fifo}}).status, 0);
    host.add("leaves_behind_newer", "leaves_behind.so");
    begin(host, "never_returns", Json::object());
    EXPECT_TRUE(eventually([&] { return host.ask({"calls"}).json["calls"].size() == 1; }));
    fs::remove(host.plugins() / "behaviours.so");
  }
  void strangers_come(TestHost& host) {
    const std::string calls = cluster_status(host, "address");
    RawConnections(calls).open_greeted(20, std::vector<std::uint8_t>(200, 'x'));
    keys_.make_unlisted("stranger", keys::Role::client);
    Command command;
    command.arguments = {tested::busbar(), "--connect", calls};
    for (const auto& flag : keys_.client_flags("stranger", "b")) command.arguments.push_back(flag);
    command.arguments.push_back("services");
    command.scratch = host.root() / "said";
    callers_.emplace_back(command);
  }
  void threads_are_taken(TestHost& host) {
    for (const char* key : {"1", "2", "3"}) begin(host, "waits_for", {{"key", key}});
  }
  void is_restarted_again_and_again(const std::string& name) {
    for (int i = 0; i < 5; ++i) {
      cluster.kill(name);
      cluster.start(name, keys_.flags(name));
      EXPECT_TRUE(eventually([&] { return states_of(cluster["a"]).value(name, "") == "up"; }));
    }
  }

  TestKeys keys_;
  std::set<std::string> made_;
  std::vector<Process> callers_;
};

TEST_F(Alerts, EachIsFiredByItsFault) {
  const std::string http_on = "[http]\nlisten = \"127.0.0.1:0\"\n";
  TestHost& a = add("a", {"behaviours", "leaves_behind", "echo"},
                    http_on + "[plugins]\ndrain_timeout = \"100ms\"\nmax_retired = 1\n");
  TestHost& b = add("b", {"behaviours", "echo"},
                    http_on + "[pool]\nthreads = 1\nmax_threads = 2\n[readiness]\nrequire = [\"echo\"]\n");
  TestHost& c = add("c", {}, http_on);
  add("d", {}, "");
  ASSERT_TRUE(cluster.wait_until_whole());
  Prometheus prometheus(a.root() / "prometheus", {{"a", http(a)}, {"b", http(b)}, {"c", http(c)}}, kRules);
  ASSERT_TRUE(prometheus.scrapes_all()) << prometheus.said();
  ASSERT_TRUE(prometheus.evaluates(6)) << prometheus.said();  // several times as long as any of them waits
  EXPECT_TRUE(eventually([&] { return raised_besides(prometheus, {}).empty(); }))
      << "without a fault: " << ::testing::PrintToString(raised_besides(prometheus, {}));

  calls_fail(a);
  plugins_misbehave(a);
  strangers_come(b);
  threads_are_taken(b);
  fs::remove(b.plugins() / "echo.so");
  is_restarted_again_and_again("d");
  EXPECT_THAT(prometheus.firing(), ::testing::Not(::testing::Contains("BusbarHostDown c"))) << "that one is next";
  cluster.kill("c");

  const std::set<std::string> expected = {
      "BusbarHostDown c",       "BusbarHostNotReady b",   "BusbarNodeLost a",       "BusbarNodeLost b",
      "BusbarReconnectStorm a", "BusbarReconnectStorm b", "BusbarProtocolErrors b", "BusbarKeysRefused b",
      "BusbarPluginFailed a",   "BusbarPluginStuck a",    "BusbarPluginsRetired a", "BusbarPluginHeldBack a",
      "BusbarErrorRatioHigh a", "BusbarTimeouts a",       "BusbarCallsSlow a",      "BusbarPoolSaturated b"};
  std::set<std::string> missing;
  EXPECT_TRUE(eventually([&] {
    const auto firing = prometheus.firing();
    missing.clear();
    std::set_difference(expected.begin(), expected.end(), firing.begin(), firing.end(),
                        std::inserter(missing, missing.end()));
    return missing.empty();
  })) << ::testing::PrintToString(missing);
  EXPECT_TRUE(eventually([&] { return raised_besides(prometheus, expected).empty(); }))
      << "and none beside them: " << ::testing::PrintToString(raised_besides(prometheus, expected));
  std::set<std::string> fired;
  for (const auto& alert : expected) fired.insert(alert.substr(0, alert.find(' ')));
  EXPECT_EQ(fired, all_alerts()) << "every alert has a fault here";
}

}  // namespace
}  // namespace busbar::system_tests
