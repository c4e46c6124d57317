// /healthz, /readyz, and what `status` says of the same.
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "system/metrics/scrape.hpp"
#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Health : public SystemTest {
 protected:
  int readyz() const { return http_get(host, "/readyz").status; }
  Json not_ready() const { return host.ask({"status"}).json["not_ready"]; }
};

TEST_F(Health, NothingListensUntilItIsConfigured) {
  host.start();
  EXPECT_EQ(http_address(host), "");
}

TEST_F(Health, TheAddressIsToldByStatusAndTheLog) {
  configure_http(host);
  host.start();
  const std::string address = http_address(host);
  EXPECT_THAT(address, ::testing::MatchesRegex("127.0.0.1:[0-9]+"));
  EXPECT_THAT(host.log(), HasSubstr("http_address=" + address));
  EXPECT_EQ(testing::http_get(address, "/healthz").body, "ok\n");
  EXPECT_EQ(testing::http_get(address, "/readyz").body, "ok\n");
  EXPECT_EQ(testing::http_get(address, "/").status, 404);
}

TEST_F(Health, AHostWhoseThreadsStandDoesNotSayThatItIsWell) {
  configure_http(host);
  host.start();
  const std::string address = http_address(host);
  host.process().freeze();
  testing::HttpClient client(address);
  client.ask("/healthz");
  EXPECT_EQ(client.heard(true, std::chrono::milliseconds(100)).status, 0);
  host.process().signal(SIGCONT);
  EXPECT_EQ(client.heard().status, 200);
}

TEST_F(Health, AnOtherMachinesAddressIsRefusedUnlessToldInsecure) {
  host.configure("[http]\nlisten = \"0.0.0.0:0\"\n");
  const auto refused = host.start_process().wait();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 2);
  EXPECT_THAT(refused->err, AllOf(HasSubstr("http.listen (line 2 of"), HasSubstr("\"0.0.0.0:0\""),
                                  HasSubstr("expected a loopback address"), HasSubstr("http.insecure = true")));
  host.configure("[http]\nlisten = \"0.0.0.0:0\"\ninsecure = true\n");
  host.start();
  EXPECT_THAT(host.log(), HasSubstr("insecure: whoever reaches this address may read metrics and health"));
}

TEST_F(Health, AnAddressThatIsTakenEndsTheHostInWords) {
  configure_http(host);
  host.start();
  TestHost other;
  other.configure("[http]\nlisten = \"" + http_address(host) + "\"\n");
  const auto ended = other.start_process().wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 1);
  EXPECT_THAT(ended->err, HasSubstr("busbard: could not listen for HTTP at \"" + http_address(host) + "\": "));
}

TEST_F(Health, ItIsReadyWhenTheRequiredServicesAreHere) {
  configure_http(host, "[readiness]\nrequire = [\"greet\", \"good\"]\n");
  host.add("no_entry", "greeter.so");
  auto process = host.start_process();
  ASSERT_TRUE(eventually([&] { return host.busbar({"services"}).status == 0; })) << "its callers do not wait for them";
  const auto reply = http_get(host, "/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, AllOf(HasSubstr("service \"greet\" is not provided here\n"),
                                HasSubstr("service \"good\" is not provided here\n"),
                                HasSubstr("plugin \"greeter.so\" has failed: ")));
  EXPECT_EQ(http_get(host, "/healthz").status, 200);
  EXPECT_EQ(host.ask({"status"}).json["ready"], false);
  EXPECT_THAT(process.err(), AllOf(HasSubstr("host: started, and not ready yet"), Not(HasSubstr("host: ready"))));
  EXPECT_THAT(not_ready().dump(), HasSubstr("service \\\"greet\\\" is not provided here"));
  EXPECT_EQ(Scrape(host).value("busbar_ready"), 0);
  EXPECT_EQ(Scrape(host).value("busbar_plugins{state=\"failed\"}"), 1);

  host.add("greeter");
  host.add("good");
  EXPECT_TRUE(eventually([&] { return readyz() == 200; })) << http_get(host, "/readyz").body;
  EXPECT_EQ(host.ask({"status"}).json["ready"], true);
  EXPECT_EQ(not_ready(), Json::array());
  EXPECT_EQ(Scrape(host).value("busbar_ready"), 1);
  EXPECT_TRUE(eventually([&] { return process.err().find("host: ready node=") != std::string::npos; }));

  std::filesystem::remove(host.plugins() / "good.so");
  EXPECT_TRUE(eventually([&] { return readyz() == 503; }));
  EXPECT_TRUE(eventually([&] { return process.err().find("host: not ready any more node=") != std::string::npos; }));
  EXPECT_THAT(process.err(), HasSubstr("reasons=\"service \\\"good\\\" is not provided here"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait().value_or(Ended{}).status, 0);
}

// Its services are withdrawn before the calls that are under way in it have ended.
TEST_F(Health, TheLogSaysAtOnceThatARequiredPluginGoes) {
  configure_http(host, "[readiness]\nrequire = [\"answers_nobody\"]\n");
  host.add("behaviours");
  host.start();
  ASSERT_TRUE(eventually([&] { return readyz() == 200; }));
  auto caller = host.start_busbar({"call", "answers_nobody", "{}", "--timeout", "100000"});
  ASSERT_TRUE(eventually([&] { return host.ask({"calls"}).json["calls"].size() == 1; }));
  auto unload = host.start_busbar({"unload", "behaviours"});
  EXPECT_TRUE(eventually([&] { return host.log().find("host: not ready any more node=") != std::string::npos; }));
  EXPECT_EQ(host.ask({"calls"}).json["calls"].size(), 1U);
  caller.signal(SIGINT);  // gives the call up
  EXPECT_TRUE(caller.wait());
  EXPECT_TRUE(unload.wait());
  host.process().signal(SIGTERM);
  host.finish();
}

TEST_F(Health, AHostThatStopsIsNotReadyAnyMore) {
  configure_http(host);
  host.add("behaviours");
  host.start();
  const std::string address = http_address(host);
  auto caller = host.start_busbar({"call", "waits_for", R"({"key":"the end"})"});
  ASSERT_TRUE(eventually([&] { return host.ask({"calls"}).json["calls"].size() == 1; }));
  host.process().signal(SIGTERM);
  EXPECT_TRUE(eventually([&] { return testing::http_get(address, "/readyz").status == 503; }));
  EXPECT_THAT(testing::http_get(address, "/readyz").body, HasSubstr("the host is stopping\n"));
  EXPECT_EQ(testing::http_get(address, "/healthz").status, 200);
  caller.signal(SIGINT);  // gives the call up
  host.finish();
}

// For longer than a thread may take to turn: those that end first do not look like ones that hang.
TEST_F(Health, AHostThatWaitsLongForItsLastCallsIsWell) {
  configure_http(host, "[shutdown]\ntimeout = \"15s\"\n");
  host.add("behaviours");
  host.start();
  const std::string address = http_address(host);
  auto caller = host.start_busbar({"call", "waits_for", R"({"key":"the end"})", "--timeout", "60000"});
  ASSERT_TRUE(eventually([&] { return host.ask({"calls"}).json["calls"].size() == 1; }));
  host.process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return testing::http_get(address, "/readyz").status == 503; }));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(12);
  while (std::chrono::steady_clock::now() < until) {
    const auto health = testing::http_get(address, "/healthz");
    ASSERT_EQ(health.status, 200) << health.body;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  caller.signal(SIGINT);  // gives the call up; its handler waits on
  host.finish();
}

}  // namespace
}  // namespace busbar::system_tests
