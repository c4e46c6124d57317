// What hosts of other versions say, or who pretends to be one, and what is larger than who should get it takes: refused
// in words and counted, while calls go on (docs/protocol.md, sections 9, 10 and 12.1).
#include <limits>

#include "system/support/attacked_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace registry_wire = registry::wire;

using busbar::wire::Envelope;
using busbar::wire::EnvelopeType;
using keys::Role;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Lt;

constexpr std::uint32_t kMajors[] = {0, 2, std::numeric_limits<std::uint32_t>::max()};
static_assert(busbar::wire::kCallProtocolMajor == 1 && registry_wire::kMajor == 1);

// ------------------------------------------------------------------------------------------------------------ versions

class VersionAttacks : public AttackedCluster {
 protected:
  /// How many calls of "runs_at" host b has been asked for.
  Json runs() const { return cluster["b"].call("counts").json["value"]["authorized"]; }
  /// A reason is told once in ten seconds for each address, and with the number of those that were passed over.
  void expect_told_of_versions(const std::string& plane, const std::string& who) const {
    EXPECT_TRUE(eventually([&] { return lines_with("reason=other_version", "who=" + who) != 0; })) << who;
    EXPECT_THAT(lines_with("reason=other_version", "plane=" + plane), AllOf(Ge(1U), Lt(20U)));
  }
};

TEST_F(VersionAttacks, HellosOfOtherVersionsAreRefusedInWords) {
  start();
  keys.let_in(cluster["b"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
  for (int round = 0; round < 100; ++round) {
    for (const std::uint32_t major : kMajors) {
      auto hello = hello_of("ada", busbar::wire::Role::client);
      hello.major = major;
      visitor.say(hello);
      const auto refused = visitor.answered();
      ASSERT_TRUE(refused);
      EXPECT_EQ(refused->type, EnvelopeType::refused);
      EXPECT_EQ(refused->name, "protocol");
      EXPECT_THAT(std::string(refused->text), HasSubstr("in version " + std::to_string(major) + "."));
    }
  }
  EXPECT_TRUE(counted("other_version", 300));
  expect_told_of_versions("calls", "127.0.0.1:");
  auto later = hello_of("ada", busbar::wire::Role::client);
  later.minor += 97;
  visitor.say(later);
  EXPECT_EQ(visitor.answered().value().type, EnvelopeType::welcome) << "a later minor version is none of these";
  EXPECT_TRUE(is_answered(visitor));
}

TEST_F(VersionAttacks, NothingOfAnotherVersionIsActedOnBeforeAHello) {
  start();
  keys.let_in(cluster["b"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
  for (const std::uint32_t major : kMajors) {
    auto request = request_of("runs_at", major + 1ULL);
    request.major = major;
    visitor.say(request);
  }
  EXPECT_EQ(visitor.answered().value().name, "hello_expected");
  visitor.say(hello_of("ada", busbar::wire::Role::client));
  EXPECT_TRUE(is_answered(visitor));
  EXPECT_EQ(runs(), 0);
  EXPECT_TRUE(counted("malformed", std::size(kMajors)));
}

TEST_F(VersionAttacks, EnvelopesOfOtherVersionsAreRefusedOneByOne) {
  start();
  keys.let_in(cluster["b"], "x");
  Visitor visitor(calls, &keys.of("x"), &keys.of("b"));
  visitor.say(hello_of("x", busbar::wire::Role::node));
  ASSERT_TRUE(visitor.heard());
  std::uint64_t attempt = 0;
  for (const std::uint32_t major : kMajors) {
    for (std::uint8_t type = 0; type < 15; ++type) {
      auto envelope = request_of("runs_at", ++attempt);
      envelope.type = static_cast<EnvelopeType>(type);
      envelope.major = major;
      visitor.say(envelope);
      const auto refused = visitor.answered();
      ASSERT_TRUE(refused);
      EXPECT_EQ(refused->type, EnvelopeType::refused);
      EXPECT_EQ(refused->name, "protocol");
      EXPECT_EQ(refused->attempt, attempt);
    }
  }
  EXPECT_TRUE(is_answered(visitor)) << "the connection goes on";
  EXPECT_EQ(runs(), 0);
  EXPECT_TRUE(counted("other_version", attempt));
  expect_told_of_versions("calls", "\"x at 127.0.0.1:");
}

/// The bytes of an envelope with another item in place of its version, which is the fifth byte.
std::vector<std::uint8_t> with_version(const Envelope& envelope, const std::vector<std::uint8_t>& item) {
  auto bytes = bytes_of(envelope);
  bytes.erase(bytes.begin() + 4);
  bytes.insert(bytes.begin() + 4, item.begin(), item.end());
  return bytes;
}

TEST_F(VersionAttacks, VersionsThatAreNoneAreMalformed) {
  start();
  keys.let_in(cluster["b"], "ada", Role::client);
  const std::vector<std::vector<std::uint8_t>> versions = {
      {0x61, '1'}, {0x41, 1}, {0x20}, {0x1B, 0, 0, 1, 0, 0, 0, 0, 0}, {0xF6}, {0xF5}, {0x80}, {0xA0}, {0xF9, 0x3C, 0}};
  for (const bool greeted : {false, true}) {
    Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
    if (greeted) visitor.say(hello_of("ada", busbar::wire::Role::client));
    for (const auto& version : versions) {
      visitor.say(with_version(hello_of("ada", busbar::wire::Role::client), version));
      visitor.say(with_version(request_of("runs_at", 1), version));
    }
    visitor.say(hello_of("ada", busbar::wire::Role::client));
    EXPECT_TRUE(is_answered(visitor));
  }
  EXPECT_EQ(runs(), 0);
  EXPECT_TRUE(counted("malformed", 4 * versions.size()));
}

/// A message of the registry's plane that says that it is of this version, whatever that is.
std::vector<std::uint8_t> with_version(const registry_wire::Message& message, const Json& major) {
  Json json = Payload::own(registry_wire::encode(message)).to_json();
  json["major"] = major;
  const Payload changed = Payload::from_json(json);
  return {changed.bytes().begin(), changed.bytes().end()};
}

TEST_F(VersionAttacks, NodesOfOtherVersionsAreRefusedInWords) {
  start();
  keys.let_in(cluster["b"], "x");
  Visitor visitor(registry, &keys.of("x"), &keys.of("b"));
  for (int round = 0; round < 100; ++round) {
    for (const std::uint32_t major : kMajors) {
      visitor.say(registry_wire::Hello{.major = major, .cluster = "busbar", .record = record_of("x")});
      const auto told = visitor.told();
      ASSERT_TRUE(told);
      const auto* refused = std::get_if<registry_wire::Refused>(&*told);
      ASSERT_NE(refused, nullptr);
      EXPECT_EQ(refused->code, "other_version");
      EXPECT_THAT(refused->text, HasSubstr("it speaks version " + std::to_string(major)));
    }
  }
  EXPECT_TRUE(counted("other_version", 300));
  expect_told_of_versions("registry", "127.0.0.1:");
  EXPECT_FALSE(states_of(cluster["b"]).contains("x"));
  visitor.say(registry_wire::Hello{.minor = 97, .cluster = "busbar", .record = record_of("x")});
  const auto told = visitor.told();
  ASSERT_TRUE(told);
  EXPECT_TRUE(std::holds_alternative<registry_wire::Welcome>(*told)) << "a later minor version is none of these";
}

/// What changes something at whoever believes it.
std::vector<registry_wire::Message> messages_that_matter() {
  auto record = record_of("x");
  record.version = 2;
  record.services.emplace_back();
  record.services.back().name = "forged";
  record.services.back().router = "forged";
  return {registry_wire::Announce{record}, registry_wire::Heartbeat{"x", 7, 2, 1},
          registry_wire::Peers{{{"y", 1, "tcp://127.0.0.1:3"}}}, registry_wire::Ping{1},
          registry_wire::Goodbye{"x", 7}};
}

TEST_F(VersionAttacks, NothingOfAnotherVersionIsBelievedOnTheRegistrysPlane) {
  start();
  keys.let_in(cluster["b"], "x");
  Visitor visitor(registry, &keys.of("x"), &keys.of("b"));
  const auto say_all = [&](const Json& major) {
    for (const auto& message : messages_that_matter()) visitor.say(with_version(message, major));
  };
  for (const std::uint32_t major : kMajors) say_all(major);
  visitor.say(registry_wire::Hello{.cluster = "busbar", .record = record_of("x")});
  auto told = visitor.told();
  ASSERT_TRUE(told);
  EXPECT_TRUE(std::holds_alternative<registry_wire::Welcome>(*told)) << "nothing of it is answered before the hello";
  for (const std::uint32_t major : kMajors) say_all(major);
  visitor.say(registry_wire::Heartbeat{"x", 7, 1, 2});
  told = visitor.told();
  ASSERT_TRUE(told);
  const auto* ack = std::get_if<registry_wire::HeartbeatAck>(&*told);
  ASSERT_NE(ack, nullptr) << "nor behind it";
  EXPECT_EQ(ack->sent_us, 2U);
  EXPECT_EQ(ack->version, 1U) << "it has neither left nor announced anything";
  EXPECT_THAT(discovered(cluster["b"], "forged"), IsEmpty());
  EXPECT_TRUE(counted("other_version", 2 * std::size(kMajors) * messages_that_matter().size()));
  expect_told_of_versions("registry", "\"x at 127.0.0.1:");
}

TEST_F(VersionAttacks, VersionsThatAreNoneAreMalformedOnTheRegistrysPlane) {
  start();
  keys.let_in(cluster["b"], "x");
  const std::vector<Json> versions = {"1", -1, 1ULL << 40U, nullptr, true, Json::array(), Json::object(), 1.5};
  const registry_wire::Hello hello{.cluster = "busbar", .record = record_of("x")};
  for (const bool greeted : {false, true}) {
    Visitor visitor(registry, &keys.of("x"), &keys.of("b"));
    if (greeted) visitor.say(hello);
    for (const Json& version : versions) {
      visitor.say(with_version(hello, version));
      for (const auto& message : messages_that_matter()) visitor.say(with_version(message, version));
    }
    EXPECT_TRUE(is_answered(visitor, record_of("x")));
  }
  EXPECT_THAT(discovered(cluster["b"], "forged"), IsEmpty());
  EXPECT_TRUE(counted("malformed", 2 * versions.size() * (1 + messages_that_matter().size())));
}

TEST_F(VersionAttacks, WhoSpeaksOtherVersionsWithoutEndIsShutOutForAWhile) {
  start("[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\n[limits]\nprotocol_errors = 50\nshut_out = \"2s\"\n");
  keys.let_in(cluster["b"], "ada", Role::client);
  keys.let_in(cluster["b"], "x");
  Visitor caller(calls, &keys.of("ada"), &keys.of("b"));
  caller.say(hello_of("ada", busbar::wire::Role::client));
  ASSERT_TRUE(caller.heard());
  auto request = request_of("runs_at", 1);
  request.major = 2;
  // Each is shut out before the last of them.
  for (request.attempt = 1; request.attempt < 1'000; ++request.attempt) caller.say_if_connected(request);
  EXPECT_TRUE(counted("shut_out"));
  EXPECT_LT(turned_away("other_version"), 100U) << "who is shut out is not read any more";
  Visitor member(registry, &keys.of("x"), &keys.of("b"));
  for (int i = 0; i < 1'000; ++i)
    member.say_if_connected(registry_wire::Hello{.major = 2, .cluster = "busbar", .record = record_of("x")});
  EXPECT_TRUE(eventually([&] { return lines_with("reason=shut_out", "plane=registry") != 0; }));
  EXPECT_NE(lines_with("reason=shut_out", "plane=calls"), 0U);
  EXPECT_EQ(runs(), 0);
}

// --------------------------------------------------------------------------------------------------------------- sizes

constexpr const char* kMebibyte =
    "[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\n[limits]\nmax_message = \"1MiB\"\n";

class SizeAttacks : public AttackedCluster {
 protected:
  /// A request of more than 2 MiB for a service whose request has a text of that name, to be read by `busbar`.
  std::string large_request(const std::string& text, Json request = Json::object()) const {
    request[text] = std::string(2U << 20U, 'x');
    const auto file = cluster["a"].root() / "large.json";
    write_file(file, request.dump());
    return "@" + file.string();
  }
  /// From host a, served by b, until the door is opened there; so it ends otherwise where that connection does.
  Process waits_at_b() const {
    Process waiting = cluster["a"].start_busbar(
        {"--json", "call", "waits_for", R"({"key":"door"})", "--node", "b", "--timeout", "600000"});
    EXPECT_TRUE(eventually([&] { return cluster["b"].log().find("waiting for door") != std::string::npos; }));
    return waiting;
  }
  void expect_never_cut_off(Process& waiting) const {
    EXPECT_EQ(cluster["b"].call("opens", {{"key", "door"}}).status, 0);
    const auto ended = waiting.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->status, 0) << ended->out;
  }
};

TEST_F(SizeAttacks, ARequestThatIsLargerThanTheOtherHostTakesIsNotSent) {
  start(kPatient, kMebibyte);
  Process waiting = waits_at_b();
  for (int i = 0; i < 3; ++i) {
    const auto answer = cluster["a"].ask({"call", "sleeps", large_request("answer", {{"ms", 1}}), "--node", "b"});
    EXPECT_EQ(answer.json["code"], "malformed") << answer.out;
    EXPECT_THAT(answer.out, HasSubstr("bytes are more than node b accepts"));
  }
  expect_never_cut_off(waiting);
}

TEST_F(SizeAttacks, AnAnswerThatIsLargerThanTheCallersHostTakesIsToldOf) {
  start(kMebibyte, kPatient);
  Process waiting = waits_at_b();
  for (int i = 0; i < 3; ++i) {
    const auto answer = cluster["a"].ask({"call", "big", R"({"ms":2048})", "--node", "b"});
    EXPECT_EQ(answer.json["code"], "badrpc") << answer.out;
    EXPECT_THAT(answer.out, AllOf(HasSubstr("bad_return"), HasSubstr("bytes are more than node a accepts")));
  }
  expect_never_cut_off(waiting);
}

TEST_F(SizeAttacks, ARequestThatIsSentOnIsNotSentWhereItIsTooLarge) {
  start(kPatient, kMebibyte);
  const Json request = {{"node", "b"}, {"until", std::string(2U << 20U, 'x')}};
  const Response response = call_at(*node, "a", "runs_at", request);
  EXPECT_EQ(response.error_code(), "malformed");
  EXPECT_THAT(std::string(response.text()), HasSubstr("larger than what is accepted by node \"b\""));
  EXPECT_EQ(cluster["b"].call("counts").json["value"]["authorized"], 0);
}

TEST_F(SizeAttacks, ClientsAndHostsKeepToWhatTheOtherOneTakes) {
  start(kPatient, kMebibyte);
  keys.let_in(cluster["b"], "ada", Role::client);
  Command command;
  command.arguments = {tested::busbar(), "--connect", calls, "--json"};
  for (const auto& flag : keys.client_flags("ada", "b")) command.arguments.push_back(flag);
  for (const auto& argument : {std::string("call"), std::string("sleeps"), large_request("answer", {{"ms", 1}})})
    command.arguments.push_back(argument);
  command.scratch = cluster["a"].root() / "said";
  const Ended ended = run(command);
  EXPECT_THAT(ended.out + ended.err, HasSubstr("the node accepts at most 1048576"));
  Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
  auto hello = hello_of("ada", busbar::wire::Role::client);
  hello.max_message = 1'024;
  visitor.say(hello);
  ASSERT_TRUE(visitor.heard());
  auto request = request_of("big", 1);
  const Payload size = Payload::from_json(Json{{"ms", 2}});
  request.raw_request = size.bytes();
  visitor.say(request);
  const auto answer = visitor.answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->detail, "bad_return");
  EXPECT_THAT(std::string(answer->text), HasSubstr("bytes are more than client ada accepts"));
  Envelope query = request_of("", 2);
  query.type = EnvelopeType::query;
  const Payload body = Payload::from_json(Json{{"protocol", 1}, {"seq", 5}, {"verb", "services"}});
  query.body = body.bytes();
  visitor.say(query);
  const auto document = visitor.answered();
  ASSERT_TRUE(document);
  EXPECT_EQ(Payload::copy(document->body).to_json()["error"]["code"], "too_large");
  EXPECT_TRUE(is_answered(visitor));
}

TEST_F(SizeAttacks, OnesOwnMachineIsToldAsWell) {
  start(kPatient, kMebibyte);
  Process waiting = waits_at_b();
  const auto answer = cluster["b"].ask({"call", "sleeps", large_request("answer", {{"ms", 1}})});
  EXPECT_NE(answer.status, 0);
  EXPECT_THAT(answer.out + answer.err, HasSubstr("this host takes at most"));
  expect_never_cut_off(waiting);
}

}  // namespace
}  // namespace busbar::system_tests
