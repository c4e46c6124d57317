// The only place where ZeroMQ sockets are made: every option that must be set is set here, before bind or connect
// (an option that is set later is mostly ignored). Used by both planes.
#pragma once

#include <busbar/keys/key.hpp>
#include <busbar/registry/net/address.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <zmq.hpp>

namespace busbar::registry::net {

/// A socket could not be opened. `what()` names the address and the reason, for an operator.
class SocketError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// With what a socket proves who it is, and finds out who the other is (CURVE). The bound side is always the server.
struct Curve {
  const keys::SecretKey& own;
  std::string domain{};                     ///< of a ROUTER: whose Gatekeeper decides who is let in
  const keys::PublicKey* server = nullptr;  ///< of a DEALER: whom it expects where it connects to
};

struct SocketOptions {
  std::size_t max_message = 64 * 1024 * 1024;   ///< of a frame; the sender checks it first (docs/protocol.md)
  std::chrono::milliseconds heartbeat{1'000};   ///< how often the kernel tests the connection, by keepalives
  std::chrono::milliseconds lost_after{3'000};  ///< how long it may be silent; the kernel ends it after ten times that
  std::chrono::milliseconds handshake{3'000};   ///< how long connecting, and the handshake, may take
  int high_water_mark = 1'000;                  ///< frames that ZeroMQ queues for one connection and direction
};

/// A ZeroMQ context with `max_sockets` and `io_threads` set; its I/O threads block all signals.
zmq::context_t make_context(int io_threads, int max_sockets);

/// A bound ROUTER: mandatory routing, so that what cannot be delivered is an error; linger 0; IPv6. With `curve` only
/// those come in whom the context's Gatekeeper lets in, and nobody where there is none. Errors: SocketError.
zmq::socket_t make_router(zmq::context_t& context, const std::string& address, const SocketOptions& options,
                          const Curve* curve = nullptr);

/// A DEALER for one connection to `address`: it never reconnects by itself; after a disconnect, or a connect that
/// failed, a new one is made. What had arrived by the disconnect can still be read afterwards. What is sent before the
/// connection stands waits for it; what is sent after its end is taken, and lost. No routing id of its own. Not yet
/// connected, so that it can be monitored first. Errors: SocketError.
/// The owner makes a new one when the monitor says `connect_failed`, `handshake_failed` or `disconnected`, or nothing
/// at all within twice `handshake`: a host name that cannot be resolved is no event.
zmq::socket_t make_dealer(zmq::context_t& context, const SocketOptions& options, const Curve* curve = nullptr);

/// The address that a socket was bound to, with its real port.
std::string bound_address(zmq::socket_t& socket);

/// What others are told: `bound` with its host replaced by `advertise`, where that is not empty. A wildcard host is
/// never announced: it becomes the first address of this machine that is not the loopback's, or the loopback's where
/// there is none. Errors: SocketError where `advertise` is no host.
std::string advertised_address(const std::string& bound, const std::string& advertise);

/// For how long nothing has come over a connection that is tested by keepalives, not even the acknowledgement of one;
/// nothing where it is no TCP connection. `descriptor`: as the monitor named it; for one that has ended the answer
/// means nothing, and the monitor says so afterwards.
std::optional<std::chrono::milliseconds> silence_of(int descriptor) noexcept;
/// From which silence on the other end of such a connection is gone: `lost_after`, but not before a keepalive has been
/// missed, of which there is one a second at most.
std::chrono::milliseconds longest_silence(const SocketOptions& options) noexcept;

/// The key that the sender of a message has proved, where its socket has CURVE; valid for every message of a
/// connection. Nothing: there is none.
std::optional<keys::PublicKey> proven_key(const zmq::message_t& message);

/// What happens to a socket's connections, read in the poll loop of who owns the socket. On a DEALER of `make_dealer`:
/// refused or timed out: connect_failed. Not a peer of ours: connected, handshake_failed or key_refused, disconnected.
/// The peer's process ended, or sent too large a frame: disconnected. No event comes after these.
/// When `disconnected` is told, all that came over the connection is there to be read.
/// Ownership: its own PAIR socket. Destroyed before the socket that it watches. Threads: as for the socket.
class Monitor {
 public:
  enum class Event : std::uint8_t {
    connected,
    handshake_succeeded,
    handshake_failed,
    key_refused,  // of a DEALER: the other side has the key that was expected, and does not let ours in
    disconnected,
    connect_failed,  // of a DEALER
    closed,          // of a ROUTER: it listens no more
    accepted
  };
  struct Happened {
    Event event;
    int value;  ///< a descriptor (connected, disconnected, accepted); an errno; why a handshake failed
  };

  /// Errors: SocketError.
  Monitor(zmq::context_t& context, zmq::socket_t& watched);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// The next event, or nothing: then `socket()` is to be polled.
  std::optional<Happened> next();
  zmq::socket_t& socket() noexcept { return events_; }

  /// Whether a handshake failed because one side has CURVE and the other has none.
  static bool is_other_mechanism(const Happened& happened) noexcept;

 private:
  void* watched_;
  bool connecting_ = false;  // a DEALER: what closes is an attempt to connect
  zmq::socket_t events_;
};

}  // namespace busbar::registry::net
