// What is in a scrape.
#include <fstream>

#include "system/metrics/scrape.hpp"
#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Metrics : public ClusterTest {
 protected:
  TestHost& add(const std::string& name, const std::vector<std::string>& plugins = {}) {
    TestHost& host = cluster.make(name);
    configure_http(host, "[registry]\nheartbeat = \"200ms\"\nlost_after = \"2s\"\n");
    for (const auto& plugin : plugins) host.add(plugin);
    cluster.start(name);
    return host;
  }
};

TEST_F(Metrics, OfAHostByItself) {
  TestHost& host = add("a", {"greeter", "always_throws"});
  host.call("nobody_has_this_one");
  const Scrape scrape(host);
  const std::string version = host.ask({"status"}).json["version"];
  EXPECT_EQ(scrape.value("busbar_build_info{version=\"" + version + "\"}"), 1);
  EXPECT_EQ(scrape.value("busbar_ready"), 1);
  EXPECT_EQ(scrape.value("busbar_plugins{state=\"serving\"}"), 2);
  EXPECT_EQ(scrape.value("busbar_plugins{state=\"failed\"}"), 0);
  EXPECT_EQ(scrape.value("busbar_plugin_generations{plugin=\"greeter\",version=\"1.0.0\",file=\"greeter.so\","
                         "state=\"serving\"}"),
            1);
  EXPECT_EQ(scrape.value("busbar_plugin_loads_total"), 2);
  EXPECT_EQ(scrape.value("busbar_nodes{state=\"self\"}"), 1);
  EXPECT_EQ(scrape.value("busbar_nodes{state=\"up\"}"), 0);
  EXPECT_EQ(scrape.value("busbar_pool_queue_max"), 10'000);
  EXPECT_EQ(scrape.value("busbar_log_lines_dropped_total"), 0);
  EXPECT_GT(scrape.value("process_resident_memory_bytes"), 1'000'000);
  EXPECT_GE(scrape.value("busbar_calls_unserved_total"), 1);
  EXPECT_THAT(scrape.text(), Not(HasSubstr("nobody_has_this_one"))) << "who calls must not make series";
}

TEST_F(Metrics, OfDurationsHaveBoundsAsAQueryNamesThem) {
  TestHost& host = add("a", {"good"});
  host.call("good");
  const std::string text = Scrape(host).text();
  for (const char* bound : {"0.0001", "0.005", "0.1", "1", "30", "+Inf"}) {
    EXPECT_THAT(text, HasSubstr("le=\"" + std::string(bound) + "\"} "));
  }
  EXPECT_THAT(text, Not(::testing::ContainsRegex("le=\"[0-9.]{8}")));
}

TEST_F(Metrics, FollowTheConfigurationWhileItChanges) {
  TestHost& host = add("a");
  EXPECT_EQ(Scrape(host).value("busbar_plugins_retired_max"), 20);
  configure_http(host, "[plugins]\nmax_retired = 7\n");
  EXPECT_EQ(host.ask({"config", "reload"}).status, 0);
  EXPECT_EQ(Scrape(host).value("busbar_plugins_retired_max"), 7);
}

TEST_F(Metrics, OfItsPeers) {
  TestHost& host = add("a");
  cluster.add("b", {"greeter"});
  ASSERT_TRUE(cluster.wait_until_whole());
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"b"}));
  host.call("greet", {{"name", "Ada"}});
  EXPECT_TRUE(eventually([&] { return Scrape(host).value("busbar_peer_round_trip_seconds{peer=\"b\"}") > 0; }));
  const Scrape whole(host);
  EXPECT_LT(whole.value("busbar_peer_round_trip_seconds{peer=\"b\"}"), 10) << "in seconds";
  EXPECT_EQ(whole.value("busbar_peer_up{peer=\"b\"}"), 1);
  EXPECT_EQ(whole.value("busbar_peer_calls_pending{peer=\"b\"}"), 0);
  EXPECT_EQ(whole.value("busbar_peer_reconnects_total{peer=\"b\"}"), 0);
  EXPECT_EQ(whole.value("busbar_nodes{state=\"up\"}"), 1);
  EXPECT_EQ(whole.value("busbar_nodes_joined_total"), 1);

  cluster.kill("b");
  EXPECT_TRUE(eventually([&] { return Scrape(host).value("busbar_nodes{state=\"lost\"}") == 1; }));
  EXPECT_THAT(Scrape(host).text(), Not(HasSubstr("peer=\"b\""))) << "who is gone has no series";
  EXPECT_EQ(Scrape(host).value("busbar_nodes_left_total"), 1);

  cluster.start("b");
  EXPECT_TRUE(eventually([&] { return Scrape(host).value("busbar_peer_reconnects_total{peer=\"b\"}") == 1; }));
  EXPECT_EQ(Scrape(host).value("busbar_nodes{state=\"lost\"}"), 0);
}

// A handler that hangs is seen where it hangs, whoever has asked.
TEST_F(Metrics, CallsOfAnotherNodeThatRunOutOfTimeAreCountedWhileTheirHandlerHangs) {
  TestHost& asking = cluster.add("a");
  TestHost& host = add("b", {"behaviours"});
  ASSERT_TRUE(cluster.wait_until_offered("waits_for", {"b"}));
  for (int i = 0; i < 3; ++i) {
    const Answer answer = asking.call("waits_for", {{"key", "door"}}, {"--timeout", "500"});
    EXPECT_EQ(answer.kind(), "service_timeout") << answer.out;
  }
  const std::string of = "{service=\"waits_for\",plugin=\"behaviours\",version=\"1.0.0\"";
  const std::string timeouts = "busbar_calls_total" + of + ",outcome=\"service_timeout\"}";
  EXPECT_TRUE(eventually([&] { return Scrape(host).value(timeouts) == 3; })) << Scrape(host).text();
  EXPECT_EQ(Scrape(host).value("busbar_calls_running" + of + "}"), 3);
  EXPECT_EQ(asking.call("opens", {{"key", "door"}}).status, 0);
  EXPECT_TRUE(eventually([&] { return Scrape(host).value("busbar_calls_running" + of + "}") == 0; }));
  const Scrape after(host);
  EXPECT_EQ(after.value(timeouts), 3);
  EXPECT_EQ(after.value("busbar_calls_total" + of + ",outcome=\"ok\"}"), 0);
  // The answers that come now are nothing out of the ordinary, and each line says whose they are.
  EXPECT_TRUE(eventually([&] { return asking.log().find("an answer came too late") != std::string::npos; }));
  EXPECT_THAT(asking.log(), ::testing::ContainsRegex("info +host.dispatch: an answer came too late and was dropped "
                                                     "node=b service=waits_for .*message_id="));
  EXPECT_THAT(asking.log(), Not(HasSubstr("somebody was turned away")));
}

TEST_F(Metrics, CountersDoNotGoBackwards) {
  TestHost& host = add("a", {"good"});
  const Scrape before(host);
  host.add("always_throws", "good.so");
  ASSERT_TRUE(eventually([&] { return host.plugin("good.so")["version"] == "3.0.0"; }));
  const Scrape after(host);
  for (const auto& name : before.names()) {
    if (!name.ends_with("_total")) continue;
    const auto was = before.value(name);
    if (was) {
      EXPECT_GE(after.value(name), was) << name;
    }
  }
  EXPECT_EQ(after.value("busbar_plugin_reloads_total"), 1);
}

}  // namespace
}  // namespace busbar::system_tests
