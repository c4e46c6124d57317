// The call plane: one ROUTER that this node is called on, and one DEALER for each peer and incarnation.
#pragma once

#include <busbar/keys/keyring.hpp>
#include <busbar/limits.hpp>
#include <busbar/registry/net/door.hpp>
#include <busbar/registry/net/resolver.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/peer.hpp"
#include "log/log.hpp"

namespace busbar::host {

struct CallPlaneOptions {
  std::string node{};
  std::string cluster{};
  std::function<std::uint64_t()> incarnation{};  ///< this node's, asked for each hello
  std::string listen = "tcp://127.0.0.1:*";      ///< a wildcard port is read back
  std::string advertise{};                       ///< the host part that others are told, in place of the bound one
  std::size_t max_message = 64 * 1024 * 1024;    ///< bytes of a frame
  std::size_t peer_queue = 64 * 1024 * 1024;     ///< bytes that wait to be sent to one peer or requester
  std::chrono::milliseconds heartbeat{1'000};
  std::chrono::milliseconds lost_after{3'000};
  unsigned max_peers = kUsualMaxPeers;
  registry::net::Lookup lookup = registry::net::look_up;  ///< for addresses with names
  std::shared_ptr<keys::Keyring> keyring{};               ///< null: without keys, so that who calls is who it says
  registry::net::DoorLimits door{};
  registry::net::DoorReport report{};  ///< is told who was turned away
};

/// The call plane's sockets could not be opened. `what()` is for an operator.
class CallPlaneError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the call plane has done; for status and metrics.
struct CallPlaneStats {
  std::uint64_t connections = 0;  ///< requesters that are connected now
  std::uint64_t peers_up = 0;
  std::uint64_t renewing = 0;      ///< connections to and from nodes that have a key which one of the two has replaced
  std::uint64_t refused = 0;       ///< hellos that were refused
  std::uint64_t malformed = 0;     ///< frames that were no envelopes
  std::uint64_t unanswerable = 0;  ///< answers whose requester had gone, or whose queue was full
};

/// Ownership: what is given outlives `stop`; peers may outlive it, and are down then. Threads: two of its own,
/// "busbar-serve" (the ROUTER; inline services of requests run there) and "busbar-peers" (what no caller works).
class CallPlane {
 public:
  /// Binds, so that `address` is known. Errors: CallPlaneError.
  CallPlane(CallPlaneOptions options, Logger log);
  ~CallPlane();
  CallPlane(const CallPlane&) = delete;
  CallPlane& operator=(const CallPlane&) = delete;

  /// Where other nodes and clients call this one. Advertised.
  const std::string& address() const noexcept;
  /// Where it listens: an address of this machine, perhaps with a wildcard for its host.
  const std::string& bound_address() const noexcept;
  /// What is told, on one of the threads. Must be short.
  struct Told {
    std::function<void()> routability_changed = [] {};  ///< a peer has come up or gone down
    /// A node is reached in another way from now on, as one of the two has another key: `now` is to take the place of
    /// `before`, which is then given to `retire`.
    std::function<void(const std::shared_ptr<Peer>& before, const std::shared_ptr<Peer>& now)> renewed{};
  };
  /// Begins to serve.
  void start(PeerEvents& peers, RequestEvents& requests, Told told);

  /// A peer for that node; dials it, and goes on dialling with a delay that grows until `drop`.
  std::shared_ptr<Peer> add(std::string name, std::uint64_t incarnation, std::string address);
  /// It has left: ends its calls at once if it was not down already, closes its socket, and dials no more; what it has
  /// asked this node has lost its caller (C-D8).
  void drop(const std::shared_ptr<Peer>& peer, std::string_view reason);

  /// Nobody finds it any more: it is closed when nothing is waited for from there.
  void retire(const std::shared_ptr<Peer>& peer);

  /// Before `stop`, once every call here has its answer: asks all peers to send nothing more, and waits until each has
  /// said that it does not, which it does when it has every answer from here. What still comes is handed out. Nothing
  /// can be asked from here any more. False: not all have said so at the deadline.
  bool wind_down(Nanos deadline) noexcept;
  CallPlaneStats stats() const;
  /// Adds the names of those of its threads that have not turned since this was last called, and has them turn once
  /// more. Threads: one at a time.
  void add_stuck(std::vector<std::string_view>& threads);
  /// What has come is still handed out. Answers that were queued are sent for as long as `linger`: when this returns
  /// the kernel has them, every peer is down, and the threads have ended. A second call does nothing.
  void stop(std::chrono::milliseconds linger = std::chrono::milliseconds(100)) noexcept;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace busbar::host
