// The command line's end of the call plane: a client of any host that can be reached (docs/protocol.md).
#pragma once

#include <busbar/wire/envelope.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "host_client.hpp"
#include "keygen.hpp"

namespace busbar::cli {

struct CallClientOptions {
  std::string address;                         ///< tcp://HOST:PORT or ipc://PATH
  std::string cluster{};                       ///< the host's must be the same
  std::optional<ClientKeys> keys{};            ///< nothing: the host asks for none
  std::chrono::milliseconds greeting{3'000};   ///< how long connecting and the greeting may take together
  std::chrono::milliseconds query{15'000};     ///< how long a question about the host itself may take
  std::chrono::milliseconds slack{2'000};      ///< what an answer may take beyond the call's own time
  std::chrono::milliseconds heartbeat{1'000};  ///< a host that is silent for three of them is lost
};

/// Notices that a socket's one connection has ended, or never came to be.
/// Ownership: destroyed before the socket. Threads: the socket's.
class ConnectionWatch {
 public:
  ConnectionWatch(zmq::context_t& context, zmq::socket_t& watched);
  ~ConnectionWatch();
  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  /// To be polled for reading: then `ended` may have become true.
  void* handle() noexcept { return events_.handle(); }
  bool ended();
  /// Whether somebody was there at all.
  bool was_connected() const noexcept { return connected_; }
  /// Why, if the handshake failed for a reason that has to do with keys; else empty.
  const std::string& about_keys() const noexcept { return about_keys_; }

 private:
  void* watched_;
  zmq::socket_t events_;
  bool connected_ = false;
  bool ended_ = false;
  std::string about_keys_;
};

/// A connection to a host's call plane. Calls become requests, all else queries.
class CallClient final : public HostClient {
 public:
  /// Connects, and greets the host. Errors: Failure; of status no_host where nobody answers.
  explicit CallClient(CallClientOptions options);

  /// A call whose time is given is waited for that long, and `slack`; another one for as long as a call may take at
  /// most: the host knows the service's own time and keeps it, and a host that is lost is noticed.
  wire::AdminAnswer ask(const wire::AdminRequest& request) override;

  // -- many calls at a time, in place of `ask`: none of these waits
  /// Sends a call, whose `seq` is never used twice and not 0. False: not now, the socket is full. Errors: Failure.
  bool begin(const wire::AdminRequest& call);
  /// The answer to one of the calls that were begun, if one has come, with its `seq`. `call`: what they have in common.
  /// Its duration is not measured. Errors: Failure, also where the connection has ended.
  std::optional<wire::AdminAnswer> take(const wire::AdminRequest& call);
  /// Appends what is to be polled until there is an answer; or, where it is full, until something can be sent.
  void watch(std::vector<zmq_pollitem_t>& items, bool full);

 private:
  using Clock = std::chrono::steady_clock;
  using Deadline = Clock::time_point;

  void connect();
  void greet();
  wire::AdminAnswer call(const wire::AdminRequest& request);
  wire::AdminAnswer query(const wire::AdminRequest& request);

  std::vector<std::uint8_t> frame_of(const wire::Envelope& envelope) const;
  void send(const wire::Envelope& envelope, Deadline deadline);
  std::optional<wire::Envelope> receive(wire::EnvelopeType type, std::uint64_t attempt, Deadline deadline);
  wire::Envelope read_next(std::optional<std::uint64_t> attempt);
  bool receive_frame(Deadline deadline);
  void take_frame();
  bool wait(short events, Deadline deadline);
  [[noreturn]] void connection_ended() const;
  [[noreturn]] void refuse(const wire::Envelope& refused) const;
  [[noreturn]] void no_answer(std::chrono::milliseconds to_ask_others = {}) const;

  const CallClientOptions options_;
  std::string node_;               // the host's name; empty until it has greeted
  std::uint32_t minor_ = 0;        // of the protocol that it speaks
  std::uint64_t max_message_ = 0;  // what the host takes
  zmq::message_t frame_;           // what was received last: envelopes point into it
  wire::Bytes unread_;             // of it
  zmq::context_t context_;
  zmq::socket_t socket_;
  ConnectionWatch watch_;
};

}  // namespace busbar::cli
