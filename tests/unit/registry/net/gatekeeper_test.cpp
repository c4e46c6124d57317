// Who comes in where keys are asked for, at real sockets.
#include "busbar/registry/net/gatekeeper.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <string>

#include "busbar/registry/net/socket.hpp"
#include "support/eventually.hpp"

namespace busbar::registry::net {
namespace {

using Event = Monitor::Event;

/// What becomes of a handshake.
Event end_of_handshake(Monitor& monitor) {
  std::optional<Monitor::Happened> happened;
  for (;;) {
    if (!busbar::testing::eventually([&] { return (happened = monitor.next()).has_value(); })) return Event::closed;
    if (happened->event != Event::connected) return happened->event;
  }
}

class Gate : public ::testing::Test {
 protected:
  zmq::socket_t router() {
    const Curve curve{.own = server_, .domain = "test"};
    return make_router(context_, "tcp://127.0.0.1:*", options_, &curve);
  }
  /// What becomes of somebody who comes with a key, and expects another.
  Event knocks(const std::string& address, const keys::SecretKey& own, const keys::PublicKey& expected) {
    const Curve curve{.own = own, .server = &expected};
    zmq::socket_t dealer = make_dealer(context_, options_, &curve);
    Monitor monitor(context_, dealer);
    dealer.connect(address);
    return end_of_handshake(monitor);
  }
  Event knocks_without_key(const std::string& address) {
    zmq::socket_t dealer = make_dealer(context_, options_);
    Monitor monitor(context_, dealer);
    dealer.connect(address);
    return end_of_handshake(monitor);
  }

  const keys::SecretKey server_ = keys::make_secret_key();
  const keys::SecretKey friend_ = keys::make_secret_key();
  const keys::SecretKey stranger_ = keys::make_secret_key();
  SocketOptions options_;
  zmq::context_t context_ = make_context(1, 64);
  std::string asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  std::mutex mutex_;
  std::string asked_;
  Gatekeeper::Decide only_friends_ = [this](auto domain, const keys::PublicKey& key, auto address) {
    const std::lock_guard lock(mutex_);
    asked_ = std::string(domain) + " " + std::string(address);
    return key == friend_.public_key();
  };
};

// libzmq would let everybody in (pitfalls, C1).
TEST_F(Gate, NobodyComesInWhereNobodyDecides) {
  zmq::socket_t bound = router();
  EXPECT_NE(knocks(bound_address(bound), friend_, server_.public_key()), Event::handshake_succeeded);
}

TEST_F(Gate, WhoIsListedComesInAndAStrangerIsToldSo) {
  Gatekeeper gate(context_, only_friends_, [](auto) {});
  zmq::socket_t bound = router();
  const std::string address = bound_address(bound);
  EXPECT_EQ(knocks(address, friend_, server_.public_key()), Event::handshake_succeeded);
  EXPECT_EQ(asked(), "test ::ffff:127.0.0.1");
  EXPECT_EQ(knocks(address, stranger_, server_.public_key()), Event::key_refused);
  const Event other_key = knocks(address, friend_, stranger_.public_key());
  EXPECT_TRUE(other_key == Event::handshake_failed || other_key == Event::disconnected);
  const Event no_key = knocks_without_key(address);
  EXPECT_TRUE(no_key == Event::handshake_failed || no_key == Event::disconnected);
  EXPECT_EQ(knocks(address, friend_, server_.public_key()), Event::handshake_succeeded)
      << "the others have no part in it";
}

TEST_F(Gate, EveryMessageTellsWhoseConnectionItCameOver) {
  Gatekeeper gate(context_, only_friends_, [](auto) {});
  zmq::socket_t bound = router();
  const keys::PublicKey expected = server_.public_key();
  const Curve curve{.own = friend_, .server = &expected};
  zmq::socket_t dealer = make_dealer(context_, options_, &curve);
  dealer.connect(bound_address(bound));
  dealer.send(zmq::str_buffer("hello"), zmq::send_flags::none);
  zmq::message_t id, body;
  ASSERT_TRUE(bound.recv(id));
  ASSERT_TRUE(bound.recv(body));
  EXPECT_EQ(proven_key(body), friend_.public_key());
  EXPECT_EQ(proven_key(zmq::message_t()), std::nullopt);
}

TEST_F(Gate, KeysAreAskedForOrNot) {
  zmq::socket_t plain = make_router(context_, "tcp://127.0.0.1:*", options_);
  const Event with_key = knocks(bound_address(plain), friend_, server_.public_key());
  EXPECT_TRUE(with_key == Event::handshake_failed || with_key == Event::disconnected);
  EXPECT_EQ(knocks_without_key(bound_address(plain)), Event::handshake_succeeded);
}

// Should it throw where it decides, it says so, nobody has come in by that, and the next one is let in.
TEST_F(Gate, BeginsAnewWhereItFails) {
  std::atomic<int> faults{0};
  std::atomic<bool> broken{true};
  Gatekeeper gate(
      context_,
      [&](auto domain, const auto& key, auto address) {
        if (broken.exchange(false)) throw std::runtime_error("broken");
        return only_friends_(domain, key, address);
      },
      [&](auto) { ++faults; });
  zmq::socket_t bound = router();
  EXPECT_NE(knocks(bound_address(bound), friend_, server_.public_key()), Event::handshake_succeeded);
  EXPECT_EQ(faults, 1);
  EXPECT_TRUE(busbar::testing::eventually(
      [&] { return knocks(bound_address(bound), friend_, server_.public_key()) == Event::handshake_succeeded; }));
}

}  // namespace
}  // namespace busbar::registry::net
