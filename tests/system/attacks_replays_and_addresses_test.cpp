// What was said once, said again by somebody who has listened; and many who come from many addresses: nothing is done
// twice, and nobody costs more than the limits say, while calls go on (docs/security.md, "What is defended").
#include <algorithm>
#include <iterator>

#include "system/support/attacked_cluster.hpp"
#include "system/support/raw_connections.hpp"
#include "system/support/recording_relay.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using Bytes = RecordingRelay::Bytes;
using keys::Role;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

// ------------------------------------------------------------------------------------------------------------- replays

// Of what CurveZMQ's client says: the greeting, HELLO, INITIATE, and then messages.
constexpr std::size_t kHandshake = 3;

Bytes joined(const std::vector<Bytes>& pieces) {
  Bytes all;
  for (const Bytes& piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

/// The recording as it is, twice, and with its pieces left out, repeated and in another order.
std::vector<Bytes> ways_to_say_again(const Bytes& recording) {
  const auto pieces = zmtp_pieces(recording);
  std::vector<Bytes> ways = {recording, joined({recording, recording})};
  for (std::size_t left_out = 0; left_out < kHandshake; ++left_out) {
    auto some = pieces;
    some.erase(some.begin() + static_cast<long>(left_out));
    ways.push_back(joined(some));
  }
  auto twice = pieces;
  for (std::size_t i = 1; i < pieces.size(); ++i) twice.insert(twice.begin() + static_cast<long>(2 * i), pieces[i]);
  ways.push_back(joined(twice));
  auto backwards = pieces;
  std::reverse(backwards.begin() + 1, backwards.end());
  ways.push_back(joined(backwards));
  std::vector<Bytes> messages_first = {pieces[0]};
  messages_first.insert(messages_first.end(), pieces.begin() + kHandshake, pieces.end());
  messages_first.insert(messages_first.end(), pieces.begin() + 1, pieces.begin() + kHandshake);
  ways.push_back(joined(messages_first));
  return ways;
}

/// Its beginnings: who says no more than that is waited for.
std::vector<Bytes> beginnings(const Bytes& recording) {
  std::vector<Bytes> some;
  std::size_t size = 0;
  for (const Bytes& piece : zmtp_pieces(recording)) {
    some.emplace_back(recording.begin(), recording.begin() + static_cast<long>(size + piece.size() / 2));
    size += piece.size();
  }
  return some;
}

class ReplayAttacks : public AttackedCluster {
 protected:
  Json runs() const { return cluster["b"].call("counts").json["value"]["authorized"]; }
  /// Says all of it again, in all ways, to host b; returns how often it has ended a connection because of that.
  std::size_t say_again(const std::vector<Bytes>& recordings, const std::string& plane) const {
    std::size_t ended = 0;
    for (const Bytes& recording : recordings) {
      RawConnections wrong(plane);
      for (const Bytes& bytes : ways_to_say_again(recording)) wrong.open(bytes);
      RawConnections unfinished(plane);
      for (const Bytes& bytes : beginnings(recording)) unfinished.open(bytes);
      EXPECT_TRUE(eventually([&] { return wrong.ended() == wrong.size(); }));
      ended += wrong.size();
    }
    return ended;
  }
  void expect_nothing_of(const std::vector<Bytes>& recordings, const std::string& plane, const std::string& name) {
    std::size_t ended = 0;
    expect_no_growth([&] {
      for (int i = 0; i < 5; ++i) ended += say_again(recordings, plane);
    });
    EXPECT_TRUE(counted("not_greeted", ended));
    EXPECT_NE(lines_with("reason=not_greeted who=127.0.0.1:", "plane=" + name), 0U);
    EXPECT_LT(lines_with("reason=not_greeted", "plane=" + name), 20U);
  }
};

/// Those over which a client has got further than its handshake.
std::vector<Bytes> greeted(std::vector<Bytes> recordings) {
  std::erase_if(recordings, [](const Bytes& one) { return zmtp_pieces(one).size() <= kHandshake; });
  return recordings;
}

TEST_F(ReplayAttacks, ACallThatIsRepeatedRunsNotAgain) {
  start();
  keys.let_in(cluster["b"], "ada", Role::client);
  const RecordingRelay relay(calls);
  Command command;
  command.arguments = {tested::busbar(), "--connect", relay.address()};
  for (const auto& flag : keys.client_flags("ada", "b")) command.arguments.push_back(flag);
  for (const char* argument : {"call", "runs_at"}) command.arguments.emplace_back(argument);
  command.scratch = cluster["a"].root() / "said";
  ASSERT_EQ(run(command).status, 0);
  ASSERT_EQ(runs(), 1);
  const auto recordings = greeted(relay.recordings());
  ASSERT_EQ(recordings.size(), 1U);
  expect_nothing_of(recordings, calls, "calls");
  EXPECT_EQ(runs(), 1);
  ASSERT_EQ(run(command).status, 0) << "who says something new is heard";
  EXPECT_EQ(runs(), 2);
}

TEST_F(ReplayAttacks, ARequestThatIsRepeatedOnItsOwnConnectionEndsThat) {
  start();
  keys.let_in(cluster["b"], "ada", Role::client);
  const RecordingRelay relay(calls);
  Visitor visitor(relay.address(), &keys.of("ada"), &keys.of("b"));
  visitor.say(hello_of("ada", busbar::wire::Role::client));
  ASSERT_TRUE(visitor.heard());
  visitor.say(request_of("runs_at", 1));
  ASSERT_EQ(visitor.answered().value().kind, 1U);
  ASSERT_EQ(runs(), 1);
  const auto pieces = zmtp_pieces(relay.recordings().front());
  ASSERT_EQ(pieces.size(), kHandshake + 2);
  for (int i = 0; i < 3; ++i) relay.say(pieces.back());
  EXPECT_TRUE(eventually([&] { return relay.recordings().size() > 1; })) << "its socket has connected again";
  EXPECT_EQ(runs(), 1);
}

TEST_F(ReplayAttacks, ANodeThatIsGoneIsNotBroughtBackByWhatItHasSaid) {
  start();
  keys.let_in(cluster["b"], "c");
  const RecordingRelay relay(registry);
  auto flags = keys.flags("c");
  flags.insert(flags.end(), {"--join", relay.address()});
  TestHost& c = cluster.make("c");
  c.add("echo");
  cluster.start("c", flags);
  ASSERT_TRUE(cluster.wait_until_offered("echo", {"c"}));
  ASSERT_TRUE(eventually([&] { return !greeted(relay.recordings()).empty(); }));
  cluster.kill("c");
  ASSERT_TRUE(eventually([&] { return !states_of(cluster["b"]).contains("c"); }));
  expect_nothing_of(greeted(relay.recordings()), registry, "registry");
  EXPECT_FALSE(states_of(cluster["b"]).contains("c"));
  EXPECT_THAT(discovered(cluster["b"], "echo"), IsEmpty());
}

// ----------------------------------------------------------------------------------------------------------- addresses

/// 127.0.0.2 to 127.0.3.250.
std::vector<std::string> loopback_addresses() {
  std::vector<std::string> all;
  for (int third = 0; third <= 3; ++third) {
    for (int fourth = 1; fourth <= 250; ++fourth) {
      all.push_back("127.0." + std::to_string(third) + "." + std::to_string(fourth));
    }
  }
  all.erase(all.begin());  // the hosts' own
  return all;
}

class AddressAttacks : public AttackedCluster {
 protected:
  /// Of each address one connection to each plane, over which a handshake begins and does not end. All but so many
  /// must go.
  void hold_handshakes(std::size_t allowed) const {
    const auto addresses = loopback_addresses();
    for (const std::string& plane : planes()) {
      RawConnections all(plane);
      for (const std::string& address : addresses) {
        all.come_from(address);
        EXPECT_EQ(all.open_greeted(1, zmtp_greeting("CURVE")), 1U) << address;
      }
      EXPECT_TRUE(eventually([&] { return all.ended() + allowed >= addresses.size(); })) << "the oldest go";
    }
  }
  void expect_told_but_not_of_each() const {
    EXPECT_NE(lines_with("reason=too_many", "who=127.0."), 0U);
    EXPECT_LT(10 * lines_with("somebody was turned away"), turned_away("too_many"));
  }
};

TEST_F(AddressAttacks, StrangersFromAThousandAddressesAreNoMoreThanTheirLimit) {
  start();
  expect_no_growth([&] { hold_handshakes(200); });
  EXPECT_TRUE(counted("too_many", 2 * (loopback_addresses().size() - 200)));
  expect_told_but_not_of_each();
  EXPECT_EQ(cluster["a"].call("where").status, 0);
}

TEST_F(AddressAttacks, ConnectionsFromAThousandAddressesAreNoMoreThanTheirLimit) {
  start(
      "[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\nmax_peers = 50\n"
      "[limits]\nprotocol_errors = 1000000000\nhandshakes = 1000000\nstrangers = 100000\nconnections = 60\n");
  expect_no_growth([&] { hold_handshakes(60); });
  EXPECT_TRUE(counted("too_many", 2 * (loopback_addresses().size() - 60)));
  expect_told_but_not_of_each();
  keys.let_in(cluster["b"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
  visitor.say(hello_of("ada", busbar::wire::Role::client));
  EXPECT_TRUE(is_answered(visitor)) << "who has a key comes in";
}

TEST_F(AddressAttacks, EachAddressIsShutOutForItself) {
  start(
      "[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\n"
      "[limits]\nprotocol_errors = 5\nhandshakes = 1000000\nshut_out = \"10m\"\n");
  auto addresses = loopback_addresses();
  addresses.resize(100);
  const auto attack = [&] {
    for (const std::string& plane : planes()) {
      for (const std::string& address : addresses) {
        RawConnections some(plane);
        some.come_from(address);
        for (int i = 0; i < 10; ++i) some.open(zmtp_greeting("NULL"));
        EXPECT_TRUE(eventually([&] { return some.ended() == some.size(); })) << address;
      }
    }
  };
  expect_no_growth(attack);
  // Of a connection that has ended before it was looked at nobody knows the address (decision 0020).
  EXPECT_TRUE(eventually([&] {
    attack();
    return turned_away("shut_out") >= addresses.size();
  }));
  keys.let_in(cluster["b"], "ada", Role::client);
  Visitor visitor(calls, &keys.of("ada"), &keys.of("b"));
  visitor.say(hello_of("ada", busbar::wire::Role::client));
  EXPECT_TRUE(is_answered(visitor)) << "others are not";
}

}  // namespace
}  // namespace busbar::system_tests
