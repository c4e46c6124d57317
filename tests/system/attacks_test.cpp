// What hosts on a real network meet, while calls go on: no crash, no hang, no growth, a line that says who, and the
// calls of others are answered (docs/security.md, "What is defended").
#include <sys/resource.h>

#include <algorithm>
#include <random>
#include <thread>

#include "system/support/attacked_cluster.hpp"
#include "system/support/raw_connections.hpp"

namespace busbar::system_tests {
namespace {

using keys::Role;
using ::testing::HasSubstr;
using ::testing::Not;

namespace registry_wire = registry::wire;

using Attacks = AttackedCluster;

TEST_F(Attacks, RandomBytes) {
  start();
  std::mt19937 random(7);
  const auto attack = [&] {
    for (const std::string& plane : planes()) {
      for (int i = 0; i < 500; ++i) {
        std::vector<std::uint8_t> bytes(random() % 300 + 1);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        if (i % 3 == 0) bytes.insert(bytes.begin(), {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3});
        if (i % 5 == 0) {
          const auto greeting = zmtp_greeting("CURVE");
          bytes.insert(bytes.begin(), greeting.begin(), greeting.end());
        }
        RawConnections one(plane);
        one.open(bytes);
      }
    }
  };
  expect_no_growth(attack);
  EXPECT_TRUE(counted("not_greeted", 100));
  EXPECT_THAT(cluster["b"].log(), HasSubstr("somebody was turned away"));
}

/// How many connections this process may have, with all that it is allowed.
std::size_t connections_allowed() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur - 500;
}

TEST_F(Attacks, TenThousandHandshakesHeldOpen) {
  start();
  const std::size_t count = std::min<std::size_t>(5'000, connections_allowed());  // on each plane
  const auto greeting = zmtp_greeting("CURVE");
  const auto attack = [&] {
    for (const std::string& plane : planes()) {
      RawConnections all(plane);
      EXPECT_EQ(all.open_greeted(count, greeting), count);
      EXPECT_TRUE(eventually([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // looking at so many is work, too
        return all.ended() + 300 >= count;
      })) << "the oldest go";
    }
  };
  expect_no_growth(attack);
  EXPECT_TRUE(counted("too_many", count));
  EXPECT_EQ(cluster["a"].call("where").status, 0);
}

TEST_F(Attacks, WhoGreetsInZeroMqAndSaysNothingIsHungUpOn) {
  start();
  keys.let_in(cluster["b"], "mute", Role::client);
  Visitor visitor(calls, &keys.of("mute"), &keys.of("b"));
  EXPECT_TRUE(counted("too_slow"));
}

/// All cuts of a message, and all that differ in one bit of one byte.
std::vector<std::vector<std::uint8_t>> damaged(const std::vector<std::uint8_t>& message) {
  std::vector<std::vector<std::uint8_t>> all;
  for (std::size_t size = 0; size < message.size(); ++size)
    all.emplace_back(message.begin(), message.begin() + static_cast<long>(size));
  for (std::size_t at = 0; at < message.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      all.push_back(message);
      all.back()[at] ^= static_cast<std::uint8_t>(1U << bit);
    }
  }
  return all;
}

std::vector<std::vector<std::uint8_t>> call_messages(const std::string& name, busbar::wire::Role role) {
  using busbar::wire::EnvelopeType;
  const Payload empty = Payload::from_json(Json::object());
  busbar::wire::Envelope request;
  request.type = EnvelopeType::request;
  request.major = busbar::wire::kCallProtocolMajor;
  request.attempt = 5;
  request.service = "shows_message";
  request.message_id = "m-1";
  request.remaining_us = 1'000'000;
  request.raw_request = request.assigns = empty.bytes();
  request.strategy = BUSBAR_STRATEGY_STICKY;
  request.sticky_key = "k";
  busbar::wire::Envelope answer;
  answer.type = EnvelopeType::answer;
  answer.major = request.major;
  answer.attempt = 77;
  answer.kind = 1;
  answer.value = empty.bytes();
  busbar::wire::Envelope query = request;
  query.type = EnvelopeType::query;
  query.body = empty.bytes();
  std::vector<std::vector<std::uint8_t>> all = {bytes_of(hello_of(name, role))};
  for (const auto& envelope : {request, answer, query}) all.push_back(bytes_of(envelope));
  for (const auto type : {EnvelopeType::cancel, EnvelopeType::closing, EnvelopeType::welcome, EnvelopeType::refused,
                          EnvelopeType::forwarded, EnvelopeType::document}) {
    busbar::wire::Envelope other = request;
    other.type = type;
    all.push_back(bytes_of(other));
  }
  return all;
}

TEST_F(Attacks, EveryTruncationAndEveryFlippedBitOfACallsMessages) {
  start();
  keys.let_in(cluster["b"], "ada", Role::client);
  keys.let_in(cluster["b"], "x");
  for (const auto& [name, role] : {std::pair(std::string("ada"), busbar::wire::Role::client),
                                   std::pair(std::string("x"), busbar::wire::Role::node)}) {
    for (const bool greeted : {false, true}) {
      Visitor visitor(calls, &keys.of(name), &keys.of("b"));
      if (greeted) visitor.say(hello_of(name, role));
      for (const auto& message : call_messages(name, role)) {
        for (const auto& bytes : damaged(message)) visitor.say(bytes);
      }
      visitor.say(hello_of(name, role));
      EXPECT_TRUE(is_answered(visitor)) << "all of it has been read";
    }
  }
  EXPECT_TRUE(counted("malformed", 1'000));
  EXPECT_THAT(cluster["b"].log(), HasSubstr("a frame could not be read"));
}

TEST_F(Attacks, EveryTruncationAndEveryFlippedBitOfARegistrysMessages) {
  start();
  keys.let_in(cluster["b"], "x");
  const auto record = record_of("x");
  const std::vector<registry_wire::Message> messages = {
      registry_wire::Hello{.cluster = "busbar", .record = record},
      registry_wire::Announce{record},
      registry_wire::Heartbeat{"x", 7, 1, 1},
      registry_wire::Peers{{{"y", 1, "tcp://127.0.0.1:3"}}},
      registry_wire::Ping{1},
      registry_wire::Pong{1, "x", 7},
      registry_wire::Welcome{.record = record, .peers = {}},
      registry_wire::Refused{"other_cluster", "no", 0},
      registry_wire::HeartbeatAck{.sent_us = 1},
  };
  for (const bool greeted : {false, true}) {
    Visitor visitor(registry, &keys.of("x"), &keys.of("b"));
    if (greeted) visitor.say(registry_wire::Message(messages[0]));
    for (const auto& message : messages) {
      for (const auto& bytes : damaged(registry_wire::encode(message))) visitor.say(bytes);
    }
    EXPECT_TRUE(is_answered(visitor, record)) << "all of it has been read";
  }
  EXPECT_TRUE(counted("malformed", 1'000));
  EXPECT_THAT(cluster["b"].log(), HasSubstr("a broken message from"));
  EXPECT_EQ(states_of(cluster["b"])["a"], "up");
}

TEST_F(Attacks, WhoSendsRubbishWithoutEndIsShutOutForAWhile) {
  start("[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\n[limits]\nprotocol_errors = 50\nshut_out = \"5s\"\n");
  keys.let_in(cluster["b"], "ada", Role::client);
  const std::vector<std::uint8_t> rubbish = {0xFF};
  {
    Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
    visitor.say(hello_of("ada", busbar::wire::Role::client));
    EXPECT_TRUE(visitor.heard());
    for (int i = 0; i < 1'000; ++i) visitor.say_if_connected(rubbish);  // it is shut out before the last of them
    EXPECT_TRUE(counted("shut_out"));
  }
  Visitor again(calls, &keys.of("ada"), &keys.of("b"));
  again.say(hello_of("ada", busbar::wire::Role::client));
  EXPECT_EQ(again.heard(std::chrono::milliseconds(200)), std::nullopt) << "its key is let in nowhere";
  EXPECT_THAT(cluster["b"].log(), HasSubstr("who=\"ada at 127.0.0.1:"));
  EXPECT_TRUE(eventually([&] {
    Visitor later(calls, &keys.of("ada"), &keys.of("b"));
    later.say(hello_of("ada", busbar::wire::Role::client));
    return later.heard(std::chrono::milliseconds(500)).has_value();
  })) << "and then it is";
}

TEST_F(Attacks, AMillionTinyMessages) {
  start();
  keys.let_in(cluster["b"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
  visitor.say(hello_of("ada", busbar::wire::Role::client));
  ASSERT_TRUE(visitor.heard());
  busbar::wire::Envelope cancel;
  cancel.type = busbar::wire::EnvelopeType::cancel;
  cancel.major = busbar::wire::kCallProtocolMajor;
  cancel.attempt = 1;
  const auto bytes = bytes_of(cancel);
  const auto attack = [&] {
    for (int i = 0; i < 500'000; ++i) visitor.say(bytes);
    visitor.say(hello_of("ada", busbar::wire::Role::client));
    EXPECT_TRUE(visitor.heard()) << "all of them have been read";
  };
  expect_no_growth(attack);
}

TEST_F(Attacks, AMessageThatIsTooLargeEndsItsOwnConnectionAlone) {
  start("[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\n[limits]\nmax_message = \"1MiB\"\n");
  keys.let_in(cluster["b"], "x");
  const std::vector<std::uint8_t> large(80 * 1024 * 1024);
  for (const std::string& plane : planes()) {
    Visitor visitor(plane, &keys.of("x"), &keys.of("b"));
    visitor.say(large);
    EXPECT_EQ(visitor.heard(std::chrono::milliseconds(300)), std::nullopt);
  }
  EXPECT_TRUE(under_any_sanitizer() || resident_kib() < 200'000) << resident_kib();
}

TEST_F(Attacks, AnswersThatNobodyAskedForAndRequestsThatAreRepeated) {
  start();
  keys.let_in(cluster["b"], "x");
  Visitor visitor(calls, &keys.of("x"), &keys.of("b"));
  visitor.say(hello_of("x", busbar::wire::Role::node));
  ASSERT_TRUE(visitor.heard());
  busbar::wire::Envelope answer;
  answer.type = busbar::wire::EnvelopeType::answer;
  answer.major = busbar::wire::kCallProtocolMajor;
  answer.kind = 1;
  for (std::uint64_t attempt = 1; attempt < 20'000; ++attempt) {
    answer.attempt = attempt;
    visitor.say(answer);
  }
  EXPECT_TRUE(counted("late_answer", 19'999));
  EXPECT_EQ(lines_with("reason=late_answer", "who=x"), 1U) << cluster["b"].log();
  keys.let_in(cluster["b"], "ada", Role::client);
  Visitor client(calls, &keys.of("ada"), &keys.of("b"));
  client.say(hello_of("ada", busbar::wire::Role::client));
  ASSERT_TRUE(client.heard());
  busbar::wire::Envelope request;
  request.type = busbar::wire::EnvelopeType::request;
  request.major = answer.major;
  request.attempt = 1;
  request.service = "sleeps";
  request.message_id = "m-1";
  request.remaining_us = 60'000'000;
  const Payload ms = Payload::from_json(Json{{"ms", 300}});
  request.raw_request = ms.bytes();
  client.say(request);
  client.say(request);
  const auto repeated = client.answered();
  ASSERT_TRUE(repeated);
  EXPECT_THAT(std::string(repeated->text), HasSubstr("number is in use"));
  const auto first = client.answered();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind, 1U);
}

TEST_F(Attacks, WhoNeverReadsCostsNoMoreThanItsQueue) {
  start("[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\n[limits]\npeer_queue = \"1MiB\"\n");
  keys.let_in(cluster["b"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
  visitor.say(hello_of("ada", busbar::wire::Role::client));
  ASSERT_TRUE(visitor.heard());
  const long before = resident_kib();
  busbar::wire::Envelope request;
  request.type = busbar::wire::EnvelopeType::request;
  request.major = busbar::wire::kCallProtocolMajor;
  request.service = "big";
  request.message_id = "m-1";
  request.remaining_us = 60'000'000;
  const Payload size = Payload::from_json(Json{{"ms", 200}});
  request.raw_request = size.bytes();
  for (std::uint64_t attempt = 1; attempt <= 2'000; ++attempt) {
    request.attempt = attempt;
    visitor.say(request);
  }
  EXPECT_TRUE(callers->wait_for_more(500));
  EXPECT_TRUE(under_any_sanitizer() || resident_kib() < before + 100'000) << "400 MB were asked for";
  EXPECT_TRUE(counted("slow_reader", 1'000));
  EXPECT_GE(lines_with("reason=slow_reader", "who=\"ada at 127.0.0.1:"), 1U) << cluster["b"].log();
}

TEST_F(Attacks, ANodeTellsOfNoOtherOne) {
  start();
  keys.let_in(cluster["b"], "x");
  Visitor member(registry, &keys.of("x"), &keys.of("b"));
  member.say(registry_wire::Hello{.cluster = "busbar", .record = record_of("x")});
  ASSERT_TRUE(member.heard());
  auto forged = record_of("a");
  forged.incarnation = 0xFFFF'FFFF'FFFF;
  member.say(registry_wire::Announce{forged});
  EXPECT_TRUE(counted("not_allowed"));
  EXPECT_GE(lines_with("reason=not_allowed", "who=\"x at 127.0.0.1:"), 1U) << cluster["b"].log();
}

TEST_F(Attacks, NamesAndTextsForgeNoLine) {
  start();
  keys.let_in(cluster["b"], "x");
  const std::string forged = "x\n2026-01-01T00:00:00.000Z error host: forged";
  auto record = record_of("x");
  record.name = forged;
  Visitor member(registry, &keys.of("x"), &keys.of("b"));
  member.say(registry_wire::Hello{.cluster = forged, .record = record_of("x")});
  EXPECT_TRUE(member.heard());
  Visitor caller(calls, &keys.of("x"), &keys.of("b"));
  caller.say(hello_of(forged, busbar::wire::Role::node));
  EXPECT_TRUE(caller.heard());
  auto hello = hello_of("x", busbar::wire::Role::node);
  hello.cluster = forged;
  caller.say(hello);
  EXPECT_TRUE(caller.heard());
  EXPECT_TRUE(eventually([&] { return cluster["b"].log().find("forged") != std::string::npos; }));
  EXPECT_THAT(cluster["b"].log(), Not(HasSubstr("\n2026-01-01T00:00:00.000Z error host: forged")));
}

}  // namespace
}  // namespace busbar::system_tests
