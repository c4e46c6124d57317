// One key after the other under one name, without a restart and with calls going on (docs/security.md, "Another key for
// the same name").
#include <future>
#include <thread>

#include "system/support/callers.hpp"
#include "system/support/patient.hpp"
#include "system/support/test_keys.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using keys::Role;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class KeyRotation : public ClusterTest {
 protected:
  /// Hosts a and b, and a node of this process's own that calls both all the time.
  void start() {
    for (const char* name : {"a", "b"}) {
      keys.make(name);
      cluster.make(name).configure(kPatient);
      for (const char* plugin : {"counted", "behaviours"}) cluster[name].add(plugin);
      cluster.start(name, keys.flags(name));
    }
    keys.make("tester");
    NodeOptions options;
    options.name = "tester";
    options.join = {cluster.seed()};
    const auto flags = keys.flags("tester");
    options.security = {flags[3], flags[5]};
    node = std::make_unique<Node>(std::move(options));
    ASSERT_EQ(node->wait_joined(kLimit), JoinState::joined) << node->refusal();
    for (const char* service : {"counted", "counted_nested", "counted_later"}) {
      ASSERT_TRUE(eventually([&] { return providers(*node, service) == std::vector<std::string>({"a", "b"}); }));
      callers.push_back(std::make_unique<SteadyCallers>(*node, 2, service, kLimit));
    }
    expect_more_calls();
  }
  void TearDown() override {
    for (const auto& some : callers) EXPECT_THAT(some->tally().failures, IsEmpty());
    callers.clear();
    node.reset();
    ClusterTest::TearDown();
  }

  void expect_more_calls() const {
    for (const auto& some : callers) EXPECT_TRUE(some->wait_for_more(200));
  }
  static Json security(const TestHost& host) { return cluster_status(host, "security"); }
  /// Whether no connection of either host has a key any more that was replaced.
  bool is_renewed() const {
    return eventually(
        [&] { return security(cluster["a"])["renewing"] == 0 && security(cluster["b"])["renewing"] == 0; });
  }
  /// As an operator does it: the new file takes the place of the one before.
  void replace_private_file(const std::string& name, const std::string& by) {
    std::filesystem::rename(keys.of(by).private_file, keys.of(name).private_file);
  }
  void expect_nobody_was_lost() const {
    for (const char* name : {"a", "b"}) {
      EXPECT_THAT(cluster[name].log(), Not(HasSubstr("peer is down")));
      EXPECT_THAT(cluster[name].log(), Not(HasSubstr("suspect")));
      EXPECT_THAT(cluster[name].log(), Not(HasSubstr("node left")));
    }
    EXPECT_EQ(node->nodes().size(), 3U);
  }
  Ended greets(const std::string& key, const std::string& host_key) const {
    Command command;
    command.arguments = {tested::busbar(), "--connect", cluster_status(cluster["a"], "address")};
    for (auto& flag : keys.client_flags(key, host_key)) command.arguments.push_back(std::move(flag));
    for (const char* word : {"call", "counted"}) command.arguments.emplace_back(word);
    command.scratch = cluster["a"].root() / "said";
    return run(command);
  }

  TestKeys keys;
  std::unique_ptr<Node> node;
  std::vector<std::unique_ptr<SteadyCallers>> callers;
};

TEST_F(KeyRotation, AHostsKeyIsFollowedByAnotherAndNoCallIsLost) {
  start();
  std::string before = "a";
  for (int round = 2; round < 5; ++round) {
    const std::string next = "a." + std::to_string(round);
    keys.make("a", Role::node, std::to_string(round));
    replace_private_file("a", next);
    EXPECT_TRUE(eventually([&] { return security(cluster["a"])["key"] == keys.of(next).key.text(); }));
    EXPECT_TRUE(
        eventually([&] { return cluster["b"].log().find("a connection to a peer was renewed") != std::string::npos; }));
    EXPECT_TRUE(is_renewed()) << security(cluster["a"]) << security(cluster["b"]);
    EXPECT_TRUE(eventually([&] { return node->renewing() == 0; }));
    expect_more_calls();
    keys.take_away(before);
    EXPECT_TRUE(eventually([&] { return security(cluster["b"])["authorized"] == 3; }));
    expect_more_calls();
    before = next;
  }
  EXPECT_TRUE(eventually([&] { return providers(*node, "counted") == std::vector<std::string>({"a", "b"}); }));
  expect_nobody_was_lost();
}

TEST_F(KeyRotation, EveryNodesKeyIsFollowedByAnotherAtTheSameTime) {
  start();
  for (const char* name : {"a", "b", "tester"}) keys.make(name, Role::node, "2");
  for (const char* name : {"a", "b", "tester"}) replace_private_file(name, std::string(name) + ".2");
  for (const char* name : {"a", "b"}) {
    EXPECT_TRUE(
        eventually([&] { return security(cluster[name])["key"] == keys.of(std::string(name) + ".2").key.text(); }));
  }
  EXPECT_TRUE(eventually([&] { return node->keyring()->own()->key == keys.of("tester.2").key; }));
  EXPECT_TRUE(is_renewed());
  EXPECT_TRUE(eventually([&] { return node->renewing() == 0; }));
  for (const char* name : {"a", "b", "tester"}) keys.take_away(name);
  expect_more_calls();
  EXPECT_TRUE(eventually([&] { return security(cluster["a"])["authorized"] == 3; }));
  EXPECT_TRUE(eventually([&] { return security(cluster["b"])["authorized"] == 3; }));
  expect_more_calls();
  expect_nobody_was_lost();
}

// Its answer comes over the connection with the key before, which is there until then.
TEST_F(KeyRotation, ACallThatLastsIsAnswered) {
  start();
  const Json until = {{"key", "the end"}};
  std::promise<Response> answered;
  auto answer = answered.get_future();
  std::jthread caller([&] { answered.set_value(call_at(*node, "a", "waits_for", until)); });
  ASSERT_TRUE(eventually([&] { return cluster["a"].log().find("waiting for the end") != std::string::npos; }));
  keys.make("a", Role::node, "2");
  replace_private_file("a", "a.2");
  EXPECT_TRUE(eventually([&] { return security(cluster["a"])["key"] == keys.of("a.2").key.text(); }));
  EXPECT_TRUE(eventually([&] { return node->renewing() != 0; }));
  expect_more_calls();
  EXPECT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_TRUE(call_at(*node, "a", "opens", until).succeeded());
  EXPECT_TRUE(answer.get().succeeded());
  EXPECT_TRUE(is_renewed());
  EXPECT_TRUE(eventually([&] { return node->renewing() == 0; }));
}

TEST_F(KeyRotation, WhoDoesNotListTheNewKeyYetGoesOnWithTheOneBefore) {
  start();
  keys.make_unlisted("a", Role::node, "2");
  replace_private_file("a", "a.2");
  EXPECT_TRUE(eventually([&] { return security(cluster["a"])["key"] == keys.of("a.2").key.text(); }));
  EXPECT_TRUE(eventually([&] { return security(cluster["b"])["turned_away"]["unlisted_key"] != 0; }));
  expect_more_calls();
  EXPECT_NE(security(cluster["a"])["renewing"], 0);
  keys.list("a.2");
  EXPECT_TRUE(is_renewed());
  keys.take_away("a");
  expect_more_calls();
  expect_nobody_was_lost();
}

TEST_F(KeyRotation, ClientsMeetTheNewKeyAndHaveTheirOwnReplaced) {
  start();
  keys.let_in(cluster["a"], "ada", Role::client);
  EXPECT_EQ(greets("ada", "a").status, 0);
  keys.make("ada", Role::client, "2");
  keys.make("a", Role::node, "2");
  EXPECT_TRUE(eventually([&] { return greets("ada.2", "a").status == 0; }));
  keys.take_away("ada");
  EXPECT_TRUE(eventually([&] { return greets("ada", "a").status == 7; }));
  replace_private_file("a", "a.2");
  EXPECT_TRUE(eventually([&] { return greets("ada.2", "a.2").status == 0; }));
  EXPECT_EQ(greets("ada.2", "a").status, 7) << "nobody has the key before any more";
}

}  // namespace
}  // namespace busbar::system_tests
