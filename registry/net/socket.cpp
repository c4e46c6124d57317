#include "busbar/registry/net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>

#include <zmq.h>

namespace busbar::registry::net {

namespace {

int milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(std::clamp<std::int64_t>(time.count(), 0, 3'600'000));
}

// In whole seconds, as the kernel has it.
int keepalive_interval(const SocketOptions& options) { return std::max(milliseconds(options.heartbeat) / 1'000, 1); }

// Not by heartbeats of ZeroMQ: each wait of an I/O thread would be a timed one, which costs a call 2 us, and
// libzmq 4.3.4 ends the process by an assertion where one is due on a connection that was reset while what came over it
// had no room (decision 0013).
void set_keepalives(zmq::socket_t& socket, const SocketOptions& options) {
  namespace opt = zmq::sockopt;
  const int interval = keepalive_interval(options);
  socket.set(opt::tcp_keepalive, 1);
  socket.set(opt::tcp_keepalive_idle, interval);
  socket.set(opt::tcp_keepalive_intvl, interval);
  // How long nothing that was sent may stay unacknowledged, a keepalive or anything else: TCP_USER_TIMEOUT, which takes
  // the place of a number of probes. Far longer than `lost_after`, because who is too busy to read must not look dead.
  socket.set(opt::tcp_maxrt, milliseconds(10 * options.lost_after));
}

// What both ends of a connection have in common.
void set_common(zmq::socket_t& socket, const SocketOptions& options) {
  namespace opt = zmq::sockopt;
  socket.set(opt::linger, 0);  // otherwise one unsent message keeps a process from ending
  socket.set(opt::ipv6, true);
  socket.set(opt::maxmsgsize, static_cast<std::int64_t>(options.max_message));
  socket.set(opt::sndhwm, options.high_water_mark);
  socket.set(opt::rcvhwm, options.high_water_mark);
  set_keepalives(socket, options);
  socket.set(opt::handshake_ivl, milliseconds(options.handshake));
}

zmq::socket_t make_socket(zmq::context_t& context, zmq::socket_type type) {
  try {
    return zmq::socket_t(context, type);
  } catch (const zmq::error_t& error) {
    const int limit = zmq_ctx_get(context.handle(), ZMQ_MAX_SOCKETS);
    throw SocketError("cannot open a socket: " + std::string(error.what()) + "; at most " + std::to_string(limit) +
                      " sockets are allowed here, and as many descriptors as `ulimit -n` says");
  }
}

const char* hint_for_bind(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; another process uses it: take another port, or * for any free one";
    case EADDRNOTAVAIL:
    case ENODEV:
      return "; this machine has no such address";
    case EACCES:
      return "; this needs a right that the process does not have";
    default:
      return "";
  }
}

// The events that are asked for: each of them is a message, so not more than are used.
constexpr int kEventsOfDealer = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
// Not HANDSHAKE_FAILED_PROTOCOL: libzmq 4.3.4 tells by it of a CURVE message that is repeated or forged, too, and then
// does not end the connection but reads nothing more from it, as telling has overwritten `errno`. (A DEALER's
// connection is ended by who reads this event.)
constexpr int kEventsOfRouter =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;

void set_curve(zmq::socket_t& socket, const Curve& curve) {
  namespace opt = zmq::sockopt;
  socket.set(opt::curve_secretkey, curve.own.text());
  if (curve.server != nullptr) {
    socket.set(opt::curve_publickey, curve.own.public_key().text());
    socket.set(opt::curve_serverkey, curve.server->text());
    return;
  }
  socket.set(opt::curve_server, true);
  socket.set(opt::zap_domain, curve.domain);
  // Without this libzmq lets everybody in where nobody answers for the domain. Distributions build libzmq with the
  // option, but do not declare it: ZMQ_ZAP_ENFORCE_DOMAIN.
  constexpr int kEnforceDomain = 93;
  constexpr int kOn = 1;
  if (zmq_setsockopt(socket.handle(), kEnforceDomain, &kOn, sizeof kOn) != 0) throw zmq::error_t();
}

// Receives what is there already. False: nothing is, or the context ends.
bool receive(zmq::socket_t& socket, zmq::message_t& message) {
  for (;;) {
    if (zmq_msg_recv(message.handle(), socket.handle(), ZMQ_DONTWAIT) >= 0) return true;
    if (zmq_errno() != EINTR) return false;
  }
}

}  // namespace

zmq::context_t make_context(int io_threads, int max_sockets) {
  zmq::context_t context(io_threads, max_sockets);  // libzmq's threads block all signals by themselves
  context.set(zmq::ctxopt::blocky, 0);
  return context;
}

zmq::socket_t make_router(zmq::context_t& context, const std::string& address, const SocketOptions& options,
                          const Curve* curve) {
  if (!is_address(address, true)) {
    throw SocketError(
        "cannot listen on '" + address +
        "': this is no address; expected tcp://HOST:PORT, where * stands for any host or port, or ipc://PATH");
  }
  zmq::socket_t socket = make_socket(context, zmq::socket_type::router);
  try {
    set_common(socket, options);
    if (curve != nullptr) set_curve(socket, *curve);
    socket.set(zmq::sockopt::router_mandatory, true);
    socket.bind(address);
  } catch (const zmq::error_t& error) {
    throw SocketError("cannot listen on " + address + ": " + error.what() + hint_for_bind(error.num()));
  }
  return socket;
}

zmq::socket_t make_dealer(zmq::context_t& context, const SocketOptions& options, const Curve* curve) {
  zmq::socket_t socket = make_socket(context, zmq::socket_type::dealer);
  try {
    set_common(socket, options);
    if (curve != nullptr) set_curve(socket, *curve);
    // As good as never, and without IMMEDIATE. With -1, which is never, or with IMMEDIATE libzmq 4.3.4 takes the queue
    // away when the connection ends, and with it what has arrived and was not read yet: the last answers of who leaves.
    socket.set(zmq::sockopt::reconnect_ivl, std::numeric_limits<int>::max());
    socket.set(zmq::sockopt::connect_timeout, milliseconds(options.handshake));
  } catch (const zmq::error_t& error) {
    throw SocketError(std::string("cannot set up a socket: ") + error.what());
  }
  return socket;
}

std::string bound_address(zmq::socket_t& socket) {
  std::string address = socket.get(zmq::sockopt::last_endpoint);
  // What was bound to an IPv4 address comes back as one of IPv6, because that is switched on.
  constexpr std::string_view kMapped = "tcp://[::ffff:";
  if (!address.starts_with(kMapped)) return address;
  address.erase(address.rfind(']'), 1);
  return address.replace(0, kMapped.size(), "tcp://");
}

std::optional<keys::PublicKey> proven_key(const zmq::message_t& message) {
  // As Gatekeeper has told libzmq of it.
  const char* text = zmq_msg_gets(const_cast<zmq::message_t&>(message).handle(), "User-Id");
  return text == nullptr ? std::nullopt : keys::PublicKey::from(text);
}

std::optional<std::chrono::milliseconds> silence_of(int descriptor) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return std::chrono::milliseconds(std::min(info.tcpi_last_data_recv, info.tcpi_last_ack_recv));
}

std::chrono::milliseconds longest_silence(const SocketOptions& options) noexcept {
  return std::max<std::chrono::milliseconds>(options.lost_after, std::chrono::seconds(2 * keepalive_interval(options)));
}

Monitor::Monitor(zmq::context_t& context, zmq::socket_t& watched)
    : watched_(watched.handle()), events_(make_socket(context, zmq::socket_type::pair)) {
  static std::atomic<std::uint64_t> made{0};
  const std::string address = "inproc://busbar-monitor-" + std::to_string(made.fetch_add(1));
  connecting_ = watched.get(zmq::sockopt::type) == ZMQ_DEALER;
  // libzmq's I/O thread would wait for room in this queue, and everything else with it.
  events_.set(zmq::sockopt::rcvhwm, 0);
  events_.set(zmq::sockopt::linger, 0);
  if (zmq_socket_monitor(watched_, address.c_str(), connecting_ ? kEventsOfDealer : kEventsOfRouter) != 0) {
    throw SocketError(std::string("cannot watch a socket: ") + zmq_strerror(zmq_errno()));
  }
  try {
    events_.connect(address);
  } catch (const zmq::error_t& error) {
    zmq_socket_monitor(watched_, nullptr, 0);
    throw SocketError(std::string("cannot watch a socket: ") + error.what());
  }
}

// In this order: closing the listener first can block libzmq's I/O thread for ever.
Monitor::~Monitor() { zmq_socket_monitor(watched_, nullptr, 0); }

std::optional<Monitor::Happened> Monitor::next() {
  zmq::message_t message;  // sixteen bits that name the event, and thirty-two of its value
  zmq::message_t address;  // not used: a DEALER has one connection
  if (!receive(events_, message)) return std::nullopt;
  if (message.more()) receive(events_, address);
  std::uint16_t event = 0;
  std::int32_t value = 0;
  if (message.size() < sizeof event + sizeof value) return std::nullopt;
  std::memcpy(&event, message.data(), sizeof event);
  std::memcpy(&value, message.data<char>() + sizeof event, sizeof value);
  switch (event) {
    case ZMQ_EVENT_CONNECTED:
      return Happened{Event::connected, value};
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return Happened{Event::handshake_succeeded, value};
    case ZMQ_EVENT_DISCONNECTED:
      return Happened{Event::disconnected, value};
    case ZMQ_EVENT_ACCEPTED:
      return Happened{Event::accepted, value};
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return Happened{Event::key_refused, value};
    case ZMQ_EVENT_CLOSED:
      return Happened{connecting_ ? Event::connect_failed : Event::closed, value};
    default:
      return Happened{Event::handshake_failed, value};
  }
}

bool Monitor::is_other_mechanism(const Happened& happened) noexcept {
  return happened.event == Event::handshake_failed && happened.value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH;
}

}  // namespace busbar::registry::net
