// Regression tests for what ZeroMQ does by default and must not do here.
#include "busbar/registry/net/socket.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/eventually.hpp"
#include "support/silent_peer.hpp"

namespace busbar::registry::net {
namespace {

using namespace std::chrono_literals;
using Event = Monitor::Event;

constexpr auto kDontWait = zmq::send_flags::dontwait;

bool send(zmq::socket_t& socket, std::string_view text) {
  return socket.send(zmq::buffer(text), kDontWait).has_value();
}

// Waits for the next event; `closed` when none came for very long.
Event next_event(Monitor& monitor) {
  std::optional<Monitor::Happened> happened;
  busbar::testing::eventually([&] { return (happened = monitor.next()).has_value(); });
  return happened ? happened->event : Event::closed;
}

// Until it is one that ends the connection.
Event last_event(Monitor& monitor) {
  for (;;) {
    const Event event = next_event(monitor);
    if (event != Event::connected && event != Event::handshake_succeeded) return event;
  }
}

// Nothing happens any more, for several times as long as ZeroMQ would wait before it reconnects.
bool stays_silent(Monitor& monitor) {
  zmq::pollitem_t item{monitor.socket().handle(), 0, ZMQ_POLLIN, 0};
  zmq::poll(&item, 1, 500ms);
  return !monitor.next().has_value();
}

// Nobody takes anything more from it.
bool stays_full(zmq::socket_t& socket) {
  zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLOUT, 0};
  return zmq::poll(&item, 1, 100ms) == 0;
}

class Sockets : public ::testing::Test {
 protected:
  Sockets() {
    options_.heartbeat = 100ms;
    options_.lost_after = 300ms;
    options_.handshake = 500ms;
  }

  zmq::socket_t router(const std::string& address = "tcp://127.0.0.1:*") {
    return make_router(context_, address, options_);
  }

  SocketOptions options_;
  zmq::context_t context_ = make_context(1, 64);
};

// A DEALER of the factory, its monitor, and its connection.
struct Connection {
  Connection(zmq::context_t& context, const std::string& address, const SocketOptions& options)
      : socket(make_dealer(context, options)), monitor(context, socket) {
    socket.connect(address);
  }
  bool up() { return next_event(monitor) == Event::connected && next_event(monitor) == Event::handshake_succeeded; }

  zmq::socket_t socket;
  Monitor monitor;
};

TEST_F(Sockets, Z1_ARouterSaysSoWhenItKnowsNobodyOfThatId) {
  zmq::socket_t bound = router();
  try {
    bound.send(zmq::buffer("nobody"), zmq::send_flags::sndmore | kDontWait);
    FAIL() << "dropped in silence";
  } catch (const zmq::error_t& error) {
    EXPECT_EQ(error.num(), EHOSTUNREACH);
  }
}

TEST_F(Sockets, Z5_WhatADealerTakesAfterItsPeerIsGoneNeverReachesItsSuccessor) {
  auto peer = std::make_unique<zmq::socket_t>(router());
  const std::string address = bound_address(*peer);
  Connection connection(context_, address, options_);
  ASSERT_TRUE(connection.up());
  ASSERT_TRUE(send(connection.socket, "to the first"));
  peer.reset();
  EXPECT_EQ(next_event(connection.monitor), Event::disconnected);
  send(connection.socket, "to nobody");

  std::optional<zmq::socket_t> successor;
  ASSERT_TRUE(busbar::testing::eventually([&] {  // the port may be held for a moment
    try {
      successor.emplace(router(address));
    } catch (const SocketError&) {
    }
    return successor.has_value();
  }));
  send(connection.socket, "to the successor");
  EXPECT_TRUE(stays_silent(connection.monitor));
  zmq::message_t message;
  EXPECT_FALSE(successor->recv(message, zmq::recv_flags::dontwait));
}

// libzmq throws it away with IMMEDIATE, and where it is told not to reconnect by -1.
TEST_F(Sockets, Z6_WhatCameBeforeADisconnectIsReadAfterIt) {
  constexpr int kMessages = 500;
  std::optional<zmq::context_t> others_context = make_context(1, 16);
  zmq::socket_t peer = make_router(*others_context, "tcp://127.0.0.1:*", options_);
  Connection connection(context_, bound_address(peer), options_);
  ASSERT_TRUE(connection.up());
  ASSERT_TRUE(send(connection.socket, "hello"));
  zmq::message_t id, hello;
  ASSERT_TRUE(peer.recv(id));
  ASSERT_TRUE(peer.recv(hello));
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(peer.send(zmq::buffer(id.data(), id.size()), zmq::send_flags::sndmore));
    ASSERT_TRUE(send(peer, "answer"));
  }
  peer.set(zmq::sockopt::linger, -1);
  peer.close();
  others_context.reset();  // now the kernel has all of it
  EXPECT_EQ(next_event(connection.monitor), Event::disconnected);
  int read = 0;
  for (zmq::message_t message; connection.socket.recv(message, zmq::recv_flags::dontwait);) ++read;
  EXPECT_EQ(read, kMessages);
}

TEST_F(Sockets, Z8_ARefusedConnectIsToldOnceAndNotTriedAgain) {
  Connection connection(context_, "tcp://127.0.0.1:1", options_);
  EXPECT_EQ(next_event(connection.monitor), Event::connect_failed);
  EXPECT_TRUE(stays_silent(connection.monitor));
}

TEST_F(Sockets, Z8_APeerThatSpeaksAnotherProtocolFailsTheHandshake) {
  busbar::testing::SilentPeer peer;
  Connection connection(context_, peer.address(), options_);
  peer.accept();
  peer.send(
      "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\nServer: another one altogether\r\n\r\n");
  EXPECT_EQ(last_event(connection.monitor), Event::handshake_failed);
}

TEST_F(Sockets, Z9_APeerThatNeverGreetsFailsTheHandshake) {
  busbar::testing::SilentPeer peer;
  Connection connection(context_, peer.address(), options_);
  peer.accept();
  EXPECT_EQ(last_event(connection.monitor), Event::handshake_failed);
}

// libzmq 4.3.4 ends the process by an assertion where a heartbeat of its own is due on a connection that has been reset
// while what came over it had no room. So there must be none on either side (decision 0013).
TEST_F(Sockets, Z9_WhoFloodsAndResetsTheConnectionHarmsNobody) {
  options_.high_water_mark = 5;
  zmq::socket_t flooded = router();
  std::optional<zmq::context_t> others_context = make_context(1, 16);
  {
    Connection connection(*others_context, bound_address(flooded), options_);
    std::optional<Monitor::Happened> connected;
    ASSERT_TRUE(busbar::testing::eventually([&] { return (connected = connection.monitor.next()).has_value(); }));
    ASSERT_EQ(connected->event, Event::connected);
    ASSERT_EQ(next_event(connection.monitor), Event::handshake_succeeded);
    // As much as there is room for, also in the kernel.
    ASSERT_TRUE(busbar::testing::eventually([&] {
      while (send(connection.socket, std::string(8'000, 'x'))) {
      }
      return stays_full(connection.socket);
    }));
    const linger at_once{1, 0};
    ASSERT_EQ(setsockopt(connected->value, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  }
  others_context.reset();
  Connection watch(context_, bound_address(flooded), options_);
  ASSERT_TRUE(watch.up());
  EXPECT_TRUE(stays_silent(watch.monitor)) << "for several times as long as a heartbeat";
}

int kernel_option(int descriptor, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(descriptor, level, name, &value, &size), 0) << std::strerror(errno);
  return value;
}

// Both ends, because either machine may be the one that goes.
TEST_F(Sockets, Z9_AConnectionIsTestedByTheKernelOfEitherSide) {
  options_.heartbeat = 2s;
  options_.lost_after = 8s;
  zmq::socket_t peer = router();
  Connection connection(context_, bound_address(peer), options_);
  ASSERT_TRUE(connection.up());
  ASSERT_TRUE(send(connection.socket, "hello"));
  zmq::message_t id, hello, answer;
  ASSERT_TRUE(peer.recv(id));
  ASSERT_TRUE(peer.recv(hello));
  ASSERT_TRUE(peer.send(id, zmq::send_flags::sndmore));
  ASSERT_TRUE(send(peer, "answer"));
  ASSERT_TRUE(connection.socket.recv(answer));
  for (zmq::message_t* received : {&hello, &answer}) {
    const int descriptor = zmq_msg_get(received->handle(), ZMQ_SRCFD);
    EXPECT_EQ(kernel_option(descriptor, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(kernel_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE), 2);
    EXPECT_EQ(kernel_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL), 2);
    EXPECT_EQ(kernel_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 80'000);
  }
}

TEST_F(Sockets, AnyTimesCanBeTestedBy) {
  for (const std::chrono::milliseconds heartbeat : {std::chrono::milliseconds(1), std::chrono::milliseconds(100h)}) {
    options_.heartbeat = heartbeat;
    options_.lost_after = 1'000h;
    zmq::socket_t peer = router();
    Connection connection(context_, bound_address(peer), options_);
    EXPECT_TRUE(connection.up());
  }
}

TEST_F(Sockets, Z7_ATooLargeReplyEndsTheConnectionAndTheMonitorSaysSo) {
  options_.max_message = 1'000;
  zmq::socket_t peer = router();
  Connection connection(context_, bound_address(peer), options_);
  ASSERT_TRUE(connection.up());
  ASSERT_TRUE(send(connection.socket, "hello"));
  zmq::message_t id, hello;
  ASSERT_TRUE(peer.recv(id));
  ASSERT_TRUE(peer.recv(hello));
  ASSERT_TRUE(peer.send(id, zmq::send_flags::sndmore));
  ASSERT_TRUE(send(peer, std::string(1'001, 'x')));
  EXPECT_EQ(next_event(connection.monitor), Event::disconnected);
  EXPECT_TRUE(stays_silent(connection.monitor));
}

TEST_F(Sockets, Z7_AMessageOfTheGreatestSizeArrives) {
  options_.max_message = 1'000;
  zmq::socket_t peer = router();
  Connection connection(context_, bound_address(peer), options_);
  ASSERT_TRUE(connection.up());
  ASSERT_TRUE(send(connection.socket, std::string(1'000, 'x')));
  zmq::message_t id, body;
  ASSERT_TRUE(peer.recv(id));
  ASSERT_TRUE(peer.recv(body));
  EXPECT_EQ(body.size(), 1'000U);
}

TEST_F(Sockets, Z10_MonitorsComeAndGoWhileConnectionsDo) {
  zmq::socket_t peer = router();
  zmq::context_t context = make_context(1, 1'000);  // ZeroMQ counts a socket until its own thread has closed it
  for (int i = 0; i < 100; ++i) {
    Connection connection(context, bound_address(peer), options_);
    if (i % 2 == 0) {
      ASSERT_TRUE(connection.up());
    }
  }
}

TEST_F(Sockets, Z10_TheMonitorOfARouterTellsWhoComes) {
  zmq::socket_t peer = router();
  Monitor monitor(context_, peer);
  zmq::socket_t dealer = make_dealer(context_, options_);
  dealer.connect(bound_address(peer));
  EXPECT_EQ(next_event(monitor), Event::accepted);
  EXPECT_EQ(next_event(monitor), Event::handshake_succeeded);
  dealer.close();
  EXPECT_EQ(next_event(monitor), Event::disconnected);
}

TEST_F(Sockets, Z13_AnUnsentMessageDoesNotKeepTheContextFromClosing) {
  busbar::testing::SilentPeer peer;
  options_.lost_after = 1h;  // however long it takes to queue so much
  zmq::context_t context = make_context(1, 16);
  {
    zmq::socket_t dealer = make_dealer(context, options_);
    Monitor monitor(context, dealer);
    dealer.connect(peer.address());
    peer.accept();
    peer.greet_as_router();
    while (next_event(monitor) != Event::handshake_succeeded) {
    }
    for (int i = 0; i < 900; ++i) ASSERT_TRUE(send(dealer, std::string(100'000, 'x')));  // more than the kernel takes
  }
  context.close();  // hangs for ever with ZeroMQ's own linger
}

TEST_F(Sockets, Z13_ASocketThatTheFactoryDidNotMakeDoesNotKeepItEither) {
  busbar::testing::SilentPeer peer;
  zmq::context_t context = make_context(1, 16);
  {
    zmq::socket_t push(context, zmq::socket_type::push);
    push.connect(peer.address());
    ASSERT_TRUE(send(push, "never sent"));
  }
  context.close();
}

// The signals that each of libzmq's threads blocks.
std::vector<std::uint64_t> blocked_by_io_threads() {
  std::vector<std::uint64_t> out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(task.path() / "comm"), status(task.path() / "status");
    std::string name, line;
    std::getline(comm, name);
    if (!name.starts_with("ZMQbg")) continue;
    while (std::getline(status, line)) {
      if (line.starts_with("SigBlk:")) out.push_back(std::stoull(line.substr(7), nullptr, 16));
    }
  }
  return out;
}

TEST_F(Sockets, ItsIoThreadsBlockAllSignals) {
  zmq::socket_t bound = router();  // now there are threads, which name themselves
  ASSERT_TRUE(busbar::testing::eventually([] { return blocked_by_io_threads().size() == 2; }));
  for (const std::uint64_t blocked : blocked_by_io_threads()) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM}) {
      EXPECT_TRUE((blocked >> (signal - 1)) & 1U) << "one takes signal " << signal;
    }
  }
}

TEST_F(Sockets, AnAddressInUseIsNamedWithAHint) {
  zmq::socket_t first = router();
  const std::string address = bound_address(first);
  try {
    router(address);
    FAIL() << "bound twice";
  } catch (const SocketError& error) {
    EXPECT_NE(std::string(error.what()).find(address), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("in use"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("take another port"), std::string::npos) << error.what();
  }
}

TEST_F(Sockets, WhatIsNoAddressIsToldWithWhatWasExpected) {
  try {
    router("127.0.0.1:80");
    FAIL();
  } catch (const SocketError& error) {
    EXPECT_NE(std::string(error.what()).find("expected tcp://HOST:PORT"), std::string::npos) << error.what();
  }
}

TEST_F(Sockets, TooManySocketsAreToldWithTheLimit) {
  zmq::context_t small = make_context(1, 2);
  std::vector<zmq::socket_t> open;
  try {
    for (int i = 0; i < 10; ++i) open.push_back(make_dealer(small, options_));
    FAIL();
  } catch (const SocketError& error) {
    EXPECT_NE(std::string(error.what()).find("at most 2 sockets"), std::string::npos) << error.what();
  }
}

TEST_F(Sockets, TheBoundAddressHasTheRealPortAndTheHostThatWasGiven) {
  zmq::socket_t bound = router();
  const std::string address = bound_address(bound);
  EXPECT_TRUE(address.starts_with("tcp://127.0.0.1:")) << address;
  EXPECT_TRUE(is_address(address, false)) << address;
  zmq::socket_t everywhere = router("tcp://*:*");
  EXPECT_TRUE(is_address(bound_address(everywhere), true)) << bound_address(everywhere);
  zmq::socket_t everywhere_v4 = router("tcp://0.0.0.0:*");
  EXPECT_TRUE(bound_address(everywhere_v4).starts_with("tcp://0.0.0.0:")) << bound_address(everywhere_v4);
  zmq::socket_t v6 = router("tcp://[::1]:*");
  EXPECT_TRUE(bound_address(v6).starts_with("tcp://[::1]:")) << bound_address(v6);
  Connection connection(context_, bound_address(v6), options_);
  EXPECT_TRUE(connection.up());
}

}  // namespace
}  // namespace busbar::registry::net
