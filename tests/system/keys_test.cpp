// Hosts that ask for keys: who gets in, as whom, and who does not (docs/security.md).
#include "system/support/test_cluster.hpp"
#include "system/support/test_keys.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using keys::Role;
using ::testing::HasSubstr;
using ::testing::Not;

class KeyedCluster : public ClusterTest {
 protected:
  TestHost& add(const std::string& name, const std::vector<std::string>& plugins = {}) {
    keys.make(name);
    return cluster.add(name, plugins, keys.flags(name));
  }
  void start_two() {
    keys.make("a");
    keys.make("b");
    cluster.add("a", {"greeter"}, keys.flags("a"));
    cluster.add("b", {"echo"}, keys.flags("b"));
    ASSERT_TRUE(cluster.wait_until_whole());
    ASSERT_TRUE(cluster.wait_until_offered("echo", {"b"}));
    calls = cluster_status(cluster["a"], "address");
    registry = cluster_status(cluster["a"], "registry_address");
  }
  /// `busbar --connect` to host a.
  Ended busbar(const std::vector<std::string>& key_flags, std::vector<std::string> arguments) const {
    Command command;
    command.arguments = {tested::busbar(), "--connect", calls};
    command.arguments.insert(command.arguments.end(), key_flags.begin(), key_flags.end());
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.scratch = cluster["a"].root() / "said";
    return run(command);
  }
  Ended greets(const std::vector<std::string>& key_flags) const {
    return busbar(key_flags, {"call", "greet", R"({"name":"Ada"})"});
  }
  std::uint64_t turned_away(const char* why) const {
    return cluster_status(cluster["a"], "security")["turned_away"].value(why, 0ULL);
  }
  bool comes_to_be_turned_away(const char* why) const {
    return eventually([&] { return turned_away(why) != 0; });
  }
  void expect_all_is_well() const {
    EXPECT_EQ(cluster["a"].call("echo", 1).status, 0);
    EXPECT_EQ(cluster["b"].call("greet", {{"name", "Ada"}}).status, 0);
  }

  TestKeys keys;
  std::string calls, registry;  // host a's addresses
};

TEST_F(KeyedCluster, HostsFindAndCallEachOther) {
  start_two();
  expect_all_is_well();
  const Json security = cluster_status(cluster["a"], "security");
  EXPECT_EQ(security["mode"], "curve");
  EXPECT_EQ(security["key"], keys.of("a").key.text());
  EXPECT_EQ(security["authorized"], 2);
}

TEST_F(KeyedCluster, AClientWithAListedKeyCalls) {
  start_two();
  keys.let_in(cluster["a"], "ada", Role::client);
  EXPECT_EQ(greets(keys.client_flags("ada", "a")).status, 0);
  const Ended nodes = busbar(keys.client_flags("ada", "a"), {"nodes"});
  EXPECT_EQ(nodes.status, 0) << nodes.err;
}

TEST_F(KeyedCluster, WhoHasNoKeyIsToldAndStaysOutside) {
  start_two();
  constexpr unsigned kTimes = 5;
  for (unsigned i = 0; i < kTimes; ++i) {
    const Ended refused = greets({});
    EXPECT_EQ(refused.status, 7);
    EXPECT_THAT(refused.err, HasSubstr("key")) << refused.err;
  }
  EXPECT_TRUE(eventually([&] { return turned_away("not_greeted") >= kTimes; })) << "each of them is counted";
  // With its address, where it was still there when it was looked at, which is a matter of microseconds (decision
  // 0020).
  EXPECT_THAT(cluster["a"].log(), HasSubstr("reason=not_greeted who="));
  expect_all_is_well();
}

TEST_F(KeyedCluster, WhoseKeyIsNotListedIsToldAndStaysOutside) {
  start_two();
  keys.make_unlisted("eve", Role::client);
  const Ended refused = greets(keys.client_flags("eve", "a"));
  EXPECT_EQ(refused.status, 7);
  EXPECT_THAT(refused.err, HasSubstr("does not let this key in"));
  EXPECT_TRUE(comes_to_be_turned_away("unlisted_key"));
  EXPECT_THAT(cluster["a"].log(), HasSubstr(keys.of("eve").key.text()));
  expect_all_is_well();
}

TEST_F(KeyedCluster, WhoExpectsAnotherHostsKeyDoesNotTalkToThisOne) {
  start_two();
  keys.let_in(cluster["a"], "ada", Role::client);
  const Ended refused = greets(keys.client_flags("ada", "b"));
  EXPECT_EQ(refused.status, 7);
  EXPECT_THAT(refused.err, HasSubstr("--host-key"));
  expect_all_is_well();
}

TEST_F(KeyedCluster, AnUnlistedHostStaysOutsideUntilItIsListed) {
  start_two();
  keys.make_unlisted("c");
  TestHost& c = cluster.make("c");
  auto flags = keys.flags("c");
  flags.insert(flags.end(), {"--join", cluster.seed()});
  c.start(flags);
  EXPECT_TRUE(eventually([&] { return c.log().find("its security.authorized must have") != std::string::npos; }));
  EXPECT_EQ(states_of(cluster["a"]), (Json{{"a", "self"}, {"b", "up"}}));
  expect_all_is_well();
  keys.list("c");
  EXPECT_TRUE(cluster.wait_until_whole()) << "no restart is needed";
}

TEST_F(KeyedCluster, AKeyThatIsTakenAwayIsOutAtOnce) {
  start_two();
  keys.let_in(cluster["a"], "ada", Role::client);
  const auto& ada = keys.of("ada");
  Visitor visitor(calls, &ada, &keys.of("a"));
  visitor.say(hello_of("ada", busbar::wire::Role::client));
  ASSERT_EQ(visitor.answered().value().type, busbar::wire::EnvelopeType::welcome);
  keys.take_away("b");
  keys.take_away("ada");
  EXPECT_TRUE(eventually([&] { return states_of(cluster["a"]) == Json{{"a", "self"}}; }));
  // b ends its own connections, when it loses a, perhaps before a has come to that; ada does not.
  EXPECT_TRUE(comes_to_be_turned_away("key_taken_away"));
  EXPECT_EQ(cluster["a"].call("echo", 1).status, 3) << "nothing is sent there";
  EXPECT_EQ(cluster["b"].call("greet", {{"name", "Ada"}}).status, 3) << "nothing of it is acted on";
  visitor.say_if_connected(hello_of("ada", busbar::wire::Role::client));
  EXPECT_EQ(visitor.heard(std::chrono::milliseconds(300)), std::nullopt);
  EXPECT_EQ(greets(keys.client_flags("ada", "a")).status, 7);
  keys.list("b");
  EXPECT_TRUE(cluster.wait_until_whole());
  ASSERT_TRUE(cluster.wait_until_offered("echo", {"b"}));
  expect_all_is_well();
}

TEST_F(KeyedCluster, AClientsKeyAnnouncesNothing) {
  start_two();
  keys.let_in(cluster["a"], "ada", Role::client);
  Visitor visitor(registry, &keys.of("ada"), &keys.of("a"));
  visitor.say(registry::wire::Hello{.cluster = "busbar", .record = record_of("ada")});
  EXPECT_TRUE(comes_to_be_turned_away("other_role"));
  EXPECT_EQ(visitor.heard(std::chrono::milliseconds(300)), std::nullopt);
  EXPECT_EQ(states_of(cluster["a"]), (Json{{"a", "self"}, {"b", "up"}}));
  expect_all_is_well();
}

TEST_F(KeyedCluster, AClientsKeyMakesNoNodeOfItOnTheCallPlane) {
  start_two();
  keys.let_in(cluster["a"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("a"));
  visitor.say(hello_of("ada", busbar::wire::Role::node));
  const auto refused = visitor.answered();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->type, busbar::wire::EnvelopeType::refused);
  EXPECT_EQ(refused->name, "key");
  EXPECT_THAT(std::string(refused->text), HasSubstr("with the key of client 'ada'"));
}

TEST_F(KeyedCluster, AClientForwardsNothing) {
  start_two();
  keys.let_in(cluster["a"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("a"));
  visitor.say(hello_of("", busbar::wire::Role::client));
  ASSERT_EQ(visitor.answered().value().type, busbar::wire::EnvelopeType::welcome);
  busbar::wire::Envelope request;
  request.type = busbar::wire::EnvelopeType::request;
  request.major = busbar::wire::kCallProtocolMajor;
  request.attempt = 1;
  request.service = "greet";
  request.message_id = "m-1";
  request.is_forwarded = true;
  request.remaining_us = 5'000'000;
  visitor.say(request);
  const auto answer = visitor.answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, busbar::wire::EnvelopeType::answer);
  EXPECT_THAT(std::string(answer->text), HasSubstr("only a node can forward"));
  EXPECT_TRUE(comes_to_be_turned_away("not_allowed"));
  EXPECT_THAT(cluster["a"].log(), HasSubstr("reason=not_allowed who=\"ada at 127.0.0.1:"));
  request.type = busbar::wire::EnvelopeType::answer;
  visitor.say(request);
  EXPECT_TRUE(eventually([&] { return turned_away("not_allowed") == 2; })) << "nobody has asked it anything";
}

TEST_F(KeyedCluster, WhoIsOfAnotherClusterIsCountedAsThatOnBothPlanes) {
  start_two();
  keys.let_in(cluster["a"], "c");
  Visitor member(registry, &keys.of("c"), &keys.of("a"));
  member.say(registry::wire::Hello{.cluster = "another", .record = record_of("c")});
  ASSERT_TRUE(member.told());
  EXPECT_TRUE(eventually([&] { return turned_away("other_cluster") == 1; }));
  Visitor caller(calls, &keys.of("c"), &keys.of("a"));
  auto hello = hello_of("c", busbar::wire::Role::node);
  hello.cluster = "another";
  caller.say(hello);
  ASSERT_TRUE(caller.answered());
  EXPECT_TRUE(eventually([&] { return turned_away("other_cluster") == 2; }));
  EXPECT_EQ(turned_away("other_name"), 0U);
}

TEST_F(KeyedCluster, NobodyIsCalledAsAnothersKeySays) {
  start_two();
  const auto& b = keys.of("b");
  Visitor member(registry, &b, &keys.of("a"));
  member.say(registry::wire::Hello{.cluster = "busbar", .record = record_of("mallory")});
  const auto told = member.told();
  ASSERT_TRUE(told);
  const auto* refused = std::get_if<registry::wire::Refused>(&*told);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->code, "other_key");
  EXPECT_THAT(refused->text, HasSubstr("its key is that of b"));
  Visitor caller(calls, &b, &keys.of("a"));
  caller.say(hello_of("a", busbar::wire::Role::node));
  const auto answer = caller.answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->name, "key");
  expect_all_is_well();
}

TEST_F(KeyedCluster, APythonClientWithAKeyCalls) {
  start_two();
  keys.let_in(cluster["a"], "ada", Role::client);
  keys.make_unlisted("eve", Role::client);
  const auto python = [&](const std::vector<std::string>& key_flags) {
    Command command;
    command.arguments = {"/usr/bin/python3", std::string(BUSBAR_PYTHON_CLIENT) + "/call.py", calls, "greet",
                         R"({"name":"Ada"})"};
    command.arguments.insert(command.arguments.end(), key_flags.begin(), key_flags.end());
    command.variables = {{"PYTHONPATH", BUSBAR_PYTHON_CLIENT}, {"PYTHONDONTWRITEBYTECODE", "1"}};
    command.scratch = cluster["a"].root() / "said";
    return run(command);
  };
  const auto with = [&](const char* who, const char* host) {
    return python({"--key", keys.of(who).private_file.string(), "--node-key", keys.of(host).public_file.string()});
  };
  const Ended ended = with("ada", "a");
  EXPECT_EQ(ended.status, 0) << ended.out;
  EXPECT_THAT(ended.out, HasSubstr("Hello, Ada!"));
  EXPECT_THAT(with("eve", "a").out, HasSubstr("does not list this public key"));
  EXPECT_THAT(with("ada", "b").out, HasSubstr("no node with that key"));
  const Ended without = python({});
  EXPECT_EQ(without.status, 7);
  EXPECT_THAT(without.out, HasSubstr("asks for keys"));
  EXPECT_EQ(with("ada", "ada").status, 7);
}

// C-R8: what a client says of itself is a claim, and what its key says is not.
TEST_F(KeyedCluster, C_R8_ServicesSeeWhoCalls) {
  add("a", {"accounts"});
  for (const char* who : {"ann", "bob"}) keys.let_in(cluster["a"], who, Role::client);
  calls = cluster_status(cluster["a"], "address");
  const auto as = [&](const char* who, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "call");
    return busbar(keys.client_flags(who, "a"), std::move(arguments));
  };
  EXPECT_EQ(as("ann", {"open_account", R"({"account":"x"})"}).status, 0);
  EXPECT_EQ(as("ann", {"balance", R"({"account":"x"})"}).status, 0);
  EXPECT_EQ(as("bob", {"balance", R"({"account":"x"})"}).status, 6);
  EXPECT_EQ(as("bob", {"balance", R"({"account":"x"})", "--assign", "user=\"ann\""}).status, 6) << "a claim";
  EXPECT_EQ(cluster["a"].call("balance", {{"account", "x"}}, {"--assign", "user=\"ann\""}).status, 0)
      << "whoever may use the admin socket speaks for anybody";
}

TEST_F(KeyedCluster, AHostWithoutKeysIsToldAndMendedWithoutARestartOfTheOther) {
  start_two();
  TestHost& c = cluster.make("c");
  keys.make("c");
  c.start({"--node", "c", "--join", cluster.seed()});
  EXPECT_TRUE(eventually([&] { return c.log().find("keys") != std::string::npos; })) << c.log();
  EXPECT_TRUE(comes_to_be_turned_away("not_greeted"));
  expect_all_is_well();
  c.stop();
  auto flags = keys.flags("c");
  flags.insert(flags.end(), {"--join", cluster.seed()});
  c.start(flags);
  EXPECT_TRUE(cluster.wait_until_whole());
}

TEST_F(KeyedCluster, AHostWithKeysIsToldWhereTheOtherHasNone) {
  cluster.add("a", {"greeter"});
  keys.make("a");
  keys.make("b");
  TestHost& b = cluster.make("b");
  auto flags = keys.flags("b");
  flags.insert(flags.end(), {"--join", cluster.seed()});
  b.start(flags);
  EXPECT_TRUE(eventually([&] { return b.log().find("could not reach seed") != std::string::npos; }));
  EXPECT_EQ(states_of(cluster["a"]), (Json{{"a", "self"}}));
  b.stop();
  cluster.start("b");
  EXPECT_TRUE(cluster.wait_until_whole());
}

class KeyedHost : public SystemTest {
 protected:
  std::string fails_with(const std::vector<std::string>& flags) const {
    Process process = host.start_process(flags);
    const auto ended = process.wait();
    EXPECT_TRUE(ended && ended->status != 0);
    return ended ? ended->err : std::string();
  }
  TestKeys keys;
};

TEST_F(KeyedHost, SaysWhatIsWrongWithItsKeys) {
  const auto& pair = keys.make("a");
  auto flags = keys.flags("a");
  ::chmod(pair.private_file.c_str(), 0644);
  EXPECT_THAT(fails_with(flags), HasSubstr("chmod 600"));
  ::chmod(pair.private_file.c_str(), 0600);
  keys.make("b");
  EXPECT_THAT(fails_with(keys.flags("a", "b")), HasSubstr("is the key of node \"b\", expected one of node \"a\""));
  keys.make("a", Role::client, "client");
  EXPECT_THAT(fails_with(keys.flags("a", "a.client")), HasSubstr("is the key of client \"a\""));
  EXPECT_THAT(fails_with({"--security-key", pair.private_file.string()}), HasSubstr("security.mode"));
  flags.emplace_back("--insecure");
  EXPECT_THAT(fails_with(flags), HasSubstr("expected one of them"));
  EXPECT_THAT(fails_with({"--listen", "tcp://0.0.0.0:*"}), HasSubstr("busbar keygen"));
}

TEST_F(KeyedHost, ListensForOtherMachinesWithKeysAlone) {
  keys.make("a");
  auto flags = keys.flags("a");
  flags.insert(flags.end(), {"--listen", "tcp://*:*"});
  host.start(flags);
  EXPECT_EQ(host.ask({"status"}).json["cluster"]["insecure"], false);
}

TEST_F(KeyedHost, KeygenMakesWhatAHostTakes) {
  const auto made = host.busbar({"keygen", "x", "--role", "node", "--directory", host.root().string()});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(keys::read_private_file(host.root() / "x.key").owner, (keys::Identity{"x", Role::node}));
  EXPECT_EQ(host.busbar({"keygen", "x", "--directory", host.root().string()}).status, 1) << "never touched";
  EXPECT_EQ(host.ask({"keygen", "x", "--label", "2", "--directory", host.root().string()}).json["role"], "client");
  EXPECT_TRUE(std::filesystem::exists(host.root() / "x.2.pub"));
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"keygen"},
                                                {"keygen", "local"},
                                                {"keygen", "x/y"},
                                                {"keygen", "x", "--role", "king"},
                                                {"keygen", "x", "--label", "../y"}}) {
    EXPECT_EQ(host.busbar(wrong).status, 2) << wrong.back();
  }
}

}  // namespace
}  // namespace busbar::system_tests
