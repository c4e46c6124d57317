// One version after the other: state goes over, and what one alone may have; calls wait meanwhile.
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "system/support/raw_client.hpp"
#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;

class Handover : public SystemTest {
 protected:
  void start(std::initializer_list<const char*> plugins, const std::string& toml = {}) {
    if (!toml.empty()) host.configure(toml);
    for (const char* name : plugins) host.add(name);
    host.start();
  }
  /// By hand, so that it is over when this returns. What is said of it.
  std::string replace(const char* file, const char* by) {
    host.add(by, file);
    EXPECT_EQ(host.ask({"rescan"}).status, 0);
    return host.plugin(file)["reason"];
  }
  std::string lock_file() { return "[plugin.alone]\nlock = \"" + (host.root() / "lock").string() + "\"\n"; }
};

TEST_F(Handover, ACountGoesOnWhereTheVersionBeforeHasLeftIt) {
  start({"counter"});
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(host.call("count").json["value"]["count"], i);
  EXPECT_EQ(replace("counter.so", "counter_again"), "");
  EXPECT_EQ(host.call("count").json["value"], Json({{"count", 4}, {"version", "2.0.0"}}));
  EXPECT_EQ(replace("counter.so", "counter_newer"), "");
  EXPECT_EQ(host.call("count_inline").json["value"], Json({{"count", 5}, {"version", "3.0.0"}}));
}

TEST_F(Handover, AStateThatTheNewVersionDoesNotKnowLeavesTheOldOneServing) {
  start({"counter_newer"});
  EXPECT_EQ(host.call("count").json["value"]["count"], 1);
  host.add("counter", "counter_newer.so");
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_THAT(host.plugin("counter_newer.so")["reason"].get<std::string>(), HasSubstr("version 2 of the state"));
  EXPECT_EQ(host.call("count").json["value"], Json({{"count", 2}, {"version", "3.0.0"}}));
  EXPECT_EQ(host.call("count_inline").json["value"]["count"], 3);
}

TEST_F(Handover, ACallThatDoesNotEndInTimeLeavesTheOldOneServing) {
  start({"counter"}, "[plugins]\nhandover_timeout = \"100ms\"\n");
  Process caller = host.start_busbar({"--json", "call", "count_slowly", R"({"ms":8000})", "--timeout", "40000"});
  ASSERT_TRUE(eventually([&] { return host.plugin("counter.so")["calls_running"] == 1; }));
  EXPECT_THAT(replace("counter.so", "counter_again"),
              testing::AllOf(HasSubstr("handover_timeout"), HasSubstr("count_slowly"), HasSubstr("message")));
  EXPECT_EQ(host.call("count").json["value"], Json({{"count", 1}, {"version", "1.0.0"}}));
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_THAT(ended->out, HasSubstr("\"count\":2"));
}

// The counter's answers tell of each call: none may be missing, and none there twice.
TEST_F(Handover, NotOneCountIsLostWhenItGoesOverAgainAndAgainUnderLoad) {
  start({"counter"}, "[plugins]\nhandover_timeout = \"60s\"\n");  // this machine may be busy
  const int rounds = under_any_sanitizer() ? 10 : 100;
  std::atomic<bool> enough{false};
  std::mutex mutex;
  std::multiset<std::int64_t> counts;
  std::vector<std::string> failures;
  const auto call_all_the_time = [&](const char* service) {
    const RawClient client(host.socket());
    wire::AdminRequest request;
    request.verb = "call";
    request.service = service;
    request.timeout_ms = 60'000;
    while (!enough) {
      client.send(wire::frame_of(request));
      const auto answer = client.receive();
      const std::scoped_lock lock(mutex);
      if (!answer || !answer->reply || answer->reply->response.kind != "ok") {
        failures.push_back(answer && answer->reply ? answer->reply->response.kind : "no answer");
        return;
      }
      counts.insert(wire::payload_of(answer->reply->response.value).to_json()["count"].get<std::int64_t>());
    }
  };
  std::vector<std::thread> callers;
  for (const char* service : {"count", "count", "count_inline", "count"})
    callers.emplace_back(call_all_the_time, service);
  for (int round = 0; round < rounds; ++round) {
    const char* const version = round % 2 == 0 ? "2.0.0" : "1.0.0";
    host.add(round % 2 == 0 ? "counter_again" : "counter", "counter.so");
    ASSERT_TRUE(eventually([&] { return host.plugin("counter.so")["version"] == version; })) << host.log();
  }
  enough = true;
  for (auto& caller : callers) caller.join();
  EXPECT_THAT(failures, testing::IsEmpty());
  EXPECT_GT(counts.size(), static_cast<std::size_t>(rounds));
  EXPECT_EQ(*counts.begin(), 1);
  EXPECT_EQ(*counts.rbegin(), static_cast<std::int64_t>(counts.size())) << "each number once";
  EXPECT_EQ(std::set<std::int64_t>(counts.begin(), counts.end()).size(), counts.size());
}

TEST_F(Handover, WhatMustBeAloneIsStoppedBeforeItsNextVersionStarts) {
  start({"alone"}, lock_file());
  EXPECT_EQ(host.call("who").json["value"], "1.0.0");
  EXPECT_EQ(replace("alone.so", "alone_again"), "");
  EXPECT_EQ(host.call("who").json["value"], "2.0.0");
}

TEST_F(Handover, AndIsStartedAgainWhereThatOneDoesNotStart) {
  start({"alone"}, lock_file());
  EXPECT_THAT(replace("alone.so", "alone_fails"), HasSubstr("it never starts"));
  EXPECT_EQ(host.call("who").json["value"], "1.0.0");
  EXPECT_EQ(replace("alone.so", "alone_again"), "");
  EXPECT_EQ(host.call("who").json["value"], "2.0.0");
}

}  // namespace
}  // namespace busbar::system_tests
