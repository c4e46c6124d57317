// `busbar events`: what has happened, in its order, on each node.
#include <signal.h>

#include <algorithm>
#include <sstream>

#include "system/support/test_cluster.hpp"
#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Json> rows_in(const std::string& text) {
  std::vector<Json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
  return rows;
}

std::vector<Json> events_of(const TestHost& host, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"--json", "events"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Ended ended = host.busbar(arguments);
  EXPECT_EQ(ended.status, 0) << ended.err;
  auto rows = rows_in(ended.out);
  // On a busy machine any run may be slow.
  std::erase_if(rows, [](const Json& row) { return row.value("event", "") == "inline_service_too_slow"; });
  return rows;
}

std::vector<std::string> names_of(const std::vector<Json>& rows) {
  std::vector<std::string> names;
  for (const Json& row : rows) names.push_back(row.value("event", ""));
  return names;
}

class Events : public SystemTest {
 protected:
  void SetUp() override {
    host.add("greeter");
    host.start();
  }
};

TEST_F(Events, TellACallInItsOrder) {
  ASSERT_EQ(host.call("greet", {{"name", "x"}}).status, 0);
  ASSERT_TRUE(eventually([&] { return events_of(host, {"--service", "greet"}).size() == 8; }));
  const auto rows = events_of(host, {"--service", "greet"});
  EXPECT_THAT(names_of(rows), ElementsAre("discovering_service", "service_found", "invoking_service",
                                          "service_request_received", "checking_if_service_call_is_authorized",
                                          "executing_service", "execution_finished", "service_responded"));
  for (const Json& row : rows) {
    EXPECT_EQ(row.value("message_id", ""), rows.front().value("message_id", "-"));
    EXPECT_EQ(row.value("correlation_id", ""), row.value("message_id", "-"));
    EXPECT_FALSE(row.value("node", "").empty());
    EXPECT_TRUE(
        std::is_sorted(rows.begin(), rows.end(), [](const Json& a, const Json& b) { return a["at"] < b["at"]; }));
    const std::string kind = row["event"];
    EXPECT_EQ(row.contains("duration_us"), kind == "execution_finished" || kind == "service_responded") << kind;
    EXPECT_EQ(row.contains("visibility"), kind == "service_request_received") << kind;
    EXPECT_EQ(row.value("response", "none"), kind == "service_responded" ? "ok" : "none") << kind;
    EXPECT_FALSE(row.contains("code")) << kind;
  }
}

TEST_F(Events, TellWhatACallCameTo) {
  host.add("behaviours");
  ASSERT_EQ(host.ask({"rescan"}).status, 0);
  const auto responded = [&](const char* service) {
    Json found;
    EXPECT_TRUE(eventually([&] {
      const auto rows = events_of(host, {"--service", service, "--event", "service_responded"});
      if (!rows.empty()) found = rows.back();
      return !found.is_null();
    }));
    return found;
  };
  host.call("throws");
  const Json threw = responded("throws");
  EXPECT_EQ(threw["response"], "error");
  EXPECT_EQ(threw["code"], "badrpc");
  EXPECT_EQ(threw["reason"], "exit");
  host.call("greet", {{"name", 7}});
  EXPECT_EQ(responded("greet")["response"], "validation_error");
  const std::string shown = host.busbar({"events", "--service", "throws"}).out;
  EXPECT_THAT(shown, HasSubstr("error  badrpc  message="));
  EXPECT_THAT(shown, testing::EndsWith("  exit\n"));
}

TEST_F(Events, TellACallThatNobodyServes) {
  host.call("nobody");
  EXPECT_THAT(names_of(events_of(host, {"--service", "nobody"})),
              ElementsAre("discovering_service", "service_not_found"));
}

TEST_F(Events, TellValidateAsACallAndAuthorizedAsAQuestion) {
  host.ask({"validate", "greet", R"({"name": "x"})"});
  ASSERT_TRUE(eventually([&] { return events_of(host, {"--service", "greet"}).size() == 8; }));
  host.ask({"authorized", "greet", "{}"});
  const auto rows = names_of(events_of(host, {"--service", "greet"}));
  EXPECT_THAT(std::vector(rows.begin() + 8, rows.end()),
              ElementsAre("discovering_service", "service_found", "service_request_received",
                          "checking_if_service_call_is_authorized"));
}

TEST_F(Events, TellOfPlugins) {
  const auto rows = events_of(host, {"--event", "plugin_loaded", "--event", "register_local_services"});
  ASSERT_THAT(names_of(rows), ElementsAre("register_local_services", "plugin_loaded"));
  EXPECT_EQ(rows.back()["plugin"], "greeter");
  EXPECT_THAT(host.busbar({"events"}).out, HasSubstr("plugin_loaded"));
}

// The event of this kind about this file, once it has happened; null where it does not.
Json event_about(const TestHost& host, const std::string& kind, const std::string& file) {
  Json found;
  EXPECT_TRUE(eventually([&] {
    for (const Json& row : events_of(host, {"--event", kind})) {
      if (row.value("file", "") == file) found = row;
    }
    return !found.is_null();
  })) << kind
      << " of " << file;
  return found;
}

TEST_F(Events, TellOfPluginsThatAreReplacedRemovedAndBroken) {
  const auto rescan = [&] { ASSERT_EQ(host.ask({"rescan"}).status, 0); };
  host.add("good");
  rescan();
  EXPECT_EQ(event_about(host, "plugin_loaded", "good.so").value("plugin", ""), "good");
  EXPECT_TRUE(events_of(host, {"--event", "plugin_reloaded"}).empty());
  EXPECT_TRUE(events_of(host, {"--event", "plugin_unloaded"}).empty());
  EXPECT_TRUE(events_of(host, {"--event", "plugin_failed"}).empty());

  host.add("good_again", "good.so");
  rescan();
  EXPECT_FALSE(event_about(host, "plugin_reloaded", "good.so").is_null());

  std::filesystem::remove(host.plugins() / "greeter.so");
  rescan();
  EXPECT_EQ(event_about(host, "plugin_unloaded", "greeter.so").value("plugin", ""), "greeter");

  write_file(host.root() / "broken", "no plugin at all");
  std::filesystem::rename(host.root() / "broken", host.plugins() / "broken.so");
  rescan();
  const Json failed = event_about(host, "plugin_failed", "broken.so");
  EXPECT_EQ(failed.value("reason", ""), host.plugin("broken.so").value("reason", "-"));
}

TEST_F(Events, AreTheLastThousand) {
  for (int i = 0; i < 130; ++i) host.call("greet", {{"name", "x"}});
  EXPECT_EQ(rows_in(host.busbar({"--json", "events"}).out).size(), 1'000u);
}

TEST_F(Events, FollowShowsThoseThatComeUntilItIsInterrupted) {
  Process follower = host.start_busbar({"--json", "events", "--follow", "--service", "greet"});
  for (const int end : {SIGINT, SIGTERM}) {
    Process other = host.start_busbar({"events", "--follow"});
    ASSERT_TRUE(eventually([&] { return other.out().find("plugin_loaded") != std::string::npos; }));
    other.signal(end);
    EXPECT_EQ(other.wait().value().status, 0);
  }
  host.call("greet", {{"name", "x"}});
  EXPECT_TRUE(eventually([&] { return rows_in(follower.out()).size() == 8; })) << follower.out();
  follower.signal(SIGINT);
  EXPECT_EQ(follower.wait().value().status, 0);
}

TEST_F(Events, FollowEndsWellWhenNobodyReadsItAnyMore) {
  const auto status = host.root() / "status";
  Command piped;
  piped.arguments = {
      "/bin/sh",        "-c",           R"({ "$0" --run-dir "$1" events --follow; echo $? >"$2"; } | head -n 1)",
      tested::busbar(), host.run_dir(), status};
  piped.scratch = host.root();
  const Ended ended = run(piped);
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 1) << ended.out;
  EXPECT_EQ(ended.err, "");
  ASSERT_TRUE(eventually([&] { return read_file(status) == "0\n"; })) << read_file(status);
}

TEST_F(Events, FollowSaysThatTheHostHasStopped) {
  Process follower = host.start_busbar({"events", "--follow"});
  ASSERT_TRUE(eventually([&] { return !follower.out().empty(); }));
  host.stop();
  const Ended ended = follower.wait().value();
  EXPECT_EQ(ended.status, 7);
  EXPECT_THAT(ended.err, HasSubstr("the host has stopped"));
}

TEST_F(Events, AFollowerThatStandsStillHoldsNothingUpAndIsToldWhatItMissed) {
  Process follower = host.start_busbar({"--json", "events", "--follow"});
  ASSERT_TRUE(eventually([&] { return !follower.out().empty(); }));
  follower.freeze();
  for (int i = 0; i < 400; ++i) ASSERT_EQ(host.call("greet", {{"name", "x"}}).status, 0);
  follower.signal(SIGCONT);
  const auto missed = [&] {
    std::size_t count = 0;
    for (const Json& row : rows_in(follower.out().substr(0, follower.out().rfind('\n') + 1))) {
      if (row["event"] == "missed") count += row["count"].get<std::size_t>();
    }
    return count;
  };
  EXPECT_TRUE(eventually([&] { return missed() >= 1'000; })) << missed();
  follower.signal(SIGTERM);
  EXPECT_EQ(follower.wait().value().status, 0);
}

TEST_F(Events, AreRefusedInWordsWhereTheyCannotBeHad) {
  Command over;
  over.arguments = {tested::busbar(), "--connect", "tcp://127.0.0.1:1", "events"};
  over.scratch = host.root();
  const Ended connected = run(over);
  EXPECT_EQ(connected.status, 2);
  EXPECT_THAT(connected.err, HasSubstr("only on its own machine"));
  const Ended kind = host.busbar({"events", "--event", "plugin_lost"});
  EXPECT_EQ(kind.status, 2);
  EXPECT_THAT(kind.err, HasSubstr("plugin_failed"));
}

using EventsOfNodes = ClusterTest;

TEST_F(EventsOfNodes, AreToldWhereTheyHappen) {
  TestHost& a = cluster.add("a");
  TestHost& b = cluster.add("b", {"greeter"});
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"b"}));
  ASSERT_EQ(a.call("greet", {{"name", "x"}}).status, 0);
  const auto caller = events_of(a, {"--service", "greet"});
  EXPECT_THAT(names_of(caller),
              ElementsAre("discovering_service", "service_found", "invoking_service", "service_responded"));
  EXPECT_EQ(caller.front().value("node", ""), "a");
  EXPECT_EQ(caller.back().value("node", ""), "b");
  ASSERT_TRUE(eventually([&] { return events_of(b, {"--service", "greet"}).size() == 4; }));
  const auto provider = events_of(b, {"--service", "greet"});
  EXPECT_THAT(names_of(provider), ElementsAre("service_request_received", "checking_if_service_call_is_authorized",
                                              "executing_service", "execution_finished"));
  EXPECT_EQ(provider.front().value("origin", ""), "a");
  EXPECT_EQ(provider.front().value("node", ""), "b");
  EXPECT_EQ(provider.front().value("message_id", "1"), caller.front().value("message_id", "2"));
  EXPECT_THAT(names_of(events_of(a, {"--event", "node_joined"})), ElementsAre("node_joined"));
}

}  // namespace
}  // namespace busbar::system_tests
