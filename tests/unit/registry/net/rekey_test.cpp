// A ROUTER takes another key, at real sockets.
#include "busbar/registry/net/rekey.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "busbar/registry/net/gatekeeper.hpp"
#include "busbar/registry/net/socket.hpp"
#include "support/eventually.hpp"

namespace busbar::registry::net {
namespace {

using keys::make_secret_key;
using keys::PublicKey;
using keys::SecretKey;

class Rekey : public ::testing::TestWithParam<std::string> {
 protected:
  void listen() {
    const Curve curve{.own = first_, .domain = "test"};
    router_ = make_router(context_, GetParam(), options_, &curve);
    address_ = bound_address(router_);
    if (const auto any = address_.find("://[::]"); any != std::string::npos) address_.replace(any, 7, "://127.0.0.1");
  }
  zmq::socket_t dial(const SecretKey& expected) {
    const PublicKey server = expected.public_key();
    const Curve curve{.own = visitor_, .server = &server};
    zmq::socket_t dealer = make_dealer(context_, options_, &curve);
    dealer.connect(address_);
    return dealer;
  }
  /// Whether what it says arrives.
  bool is_heard(zmq::socket_t& dealer, int within_ms = 10'000) {
    dealer.send(zmq::str_buffer("hello"), zmq::send_flags::none);
    router_.set(zmq::sockopt::rcvtimeo, within_ms);
    zmq::message_t id, body;
    return router_.recv(id) && router_.recv(body);
  }
  bool is_met_with(const SecretKey& expected) {
    zmq::socket_t dealer = dial(expected);
    return is_heard(dealer);
  }
  /// Whoever expects it hears that it is not there.
  bool is_gone(const SecretKey& expected) {
    const PublicKey server = expected.public_key();
    const Curve curve{.own = visitor_, .server = &server};
    zmq::socket_t dealer = make_dealer(context_, options_, &curve);
    Monitor monitor(context_, dealer);
    dealer.connect(address_);
    std::optional<Monitor::Happened> happened;
    return busbar::testing::eventually([&] {
             happened = monitor.next();
             return happened && happened->event != Monitor::Event::connected;
           }) &&
           happened->event != Monitor::Event::handshake_succeeded;
  }

  const SecretKey first_ = make_secret_key(), second_ = make_secret_key(), third_ = make_secret_key();
  const SecretKey visitor_ = make_secret_key();
  SocketOptions options_;
  zmq::context_t context_ = make_context(1, 64);
  Gatekeeper gate_{context_, [](auto, const auto&, auto) { return true; }, [](auto) {}};
  zmq::socket_t router_;
  std::string address_;
};

TEST_P(Rekey, NewConnectionsMeetTheNewKeyAndOldOnesLive) {
  listen();
  zmq::socket_t from_before = dial(first_);
  ASSERT_TRUE(is_heard(from_before));
  take_key(router_, second_);
  EXPECT_EQ(bound_address(router_).substr(0, 6), address_.substr(0, 6));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_met_with(second_)) << i;
  EXPECT_TRUE(is_gone(first_));
  EXPECT_TRUE(is_heard(from_before));
  zmq::socket_t from_between = dial(second_);
  ASSERT_TRUE(is_heard(from_between));
  take_key(router_, third_);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_met_with(third_)) << i;
  EXPECT_TRUE(is_gone(first_));
  EXPECT_TRUE(is_gone(second_));
  EXPECT_TRUE(is_heard(from_before));
  EXPECT_TRUE(is_heard(from_between));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, Rekey,
                         ::testing::Values("tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://*:*",
                                           "ipc:///tmp/busbar-rekey-" + std::to_string(::getpid())));

TEST(RekeyFails, WhereNothingListens) {
  zmq::context_t context = make_context(1, 8);
  zmq::socket_t router(context, zmq::socket_type::router);
  try {
    take_key(router, make_secret_key());
    FAIL() << "it listens nowhere";
  } catch (const SocketError& error) {
    EXPECT_NE(std::string(error.what()).find("restart to have it"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace busbar::registry::net
