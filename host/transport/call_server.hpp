// The provider's side of the call plane: one bound ROUTER, and the thread that reads it.
#pragma once

#include <busbar/registry/net/door.hpp>
#include <busbar/registry/net/gatekeeper.hpp>
#include <busbar/registry/net/socket.hpp>
#include <busbar/thread_safety.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "dispatch/peer.hpp"
#include "log/log.hpp"
#include "log/rate_limit.hpp"
#include "pool/yield_guard.hpp"
#include "transport/call_plane.hpp"
#include "transport/connected_nodes.hpp"
#include "transport/connection_table.hpp"
#include "transport/shared_router.hpp"

namespace busbar::host {

/// Ownership: uses the context, which outlives it; requesters may outlive it, and are gone then.
/// Threads: one of its own, "busbar-serve", which calls the RequestEvents; answers are sent by that thread, or by the
/// thread that answers (SharedRouter). `fill` from any; the rest by the owner.
class CallServer {
 public:
  /// Binds. Errors: CallPlaneError.
  CallServer(zmq::context_t& context, const CallPlaneOptions& options, Logger log);
  ~CallServer();
  CallServer(const CallServer&) = delete;
  CallServer& operator=(const CallServer&) = delete;

  /// Where others call this node; and where it listens for that.
  const std::string& address() const noexcept { return address_; }
  const std::string& bound_address() const noexcept { return bound_address_; }
  /// What is told of nodes, by the thread. Must be short.
  struct Told {
    std::function<void()> left = [] {};                                 ///< `nodes` has one less
    std::function<void(const NodeStart&)> closes = [](const auto&) {};  ///< it wants to be asked nothing more
    /// This node's; who dials it from now on meets this one.
    std::function<void(std::shared_ptr<const keys::OwnKey>)> own_key_changed = [](const auto&) {};
    /// A node that has greeted has this key.
    std::function<void(const std::string& node, const keys::PublicKey& key)> key_proved = [](const auto&, const auto&) {
    };
  };
  /// Begins to serve. `events` outlives `stop`.
  void start(RequestEvents& events, Told told);
  /// That incarnation of the node is gone, whatever its connections say: they end. Should it live, it is told so, and
  /// has to say hello again. Any thread. Errors: std::bad_alloc.
  void drop(std::string node, std::uint64_t incarnation, std::string reason);
  /// Hands out the requests that have come, and takes no more; sends the answers that wait for as long as `linger`;
  /// ends the thread. Every requester is gone then (`on_gone`), and answers to it are kDown. ZeroMQ's own thread may
  /// still be writing: the end of the context waits for that. A second call does nothing.
  void stop(std::chrono::milliseconds linger) noexcept;
  /// The nodes whose requests, and answers to forwarded calls, come here.
  const ConnectedNodes& nodes() const noexcept { return nodes_; }
  /// Fills in what a provider knows.
  void fill(CallPlaneStats& stats) const;
  /// Has the thread turn once more; and how often it has.
  void ring() noexcept { router_->ring(); }
  std::uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }

 private:
  using Received = ReceivedBatch::Message;
  using ConnectionPtr = std::shared_ptr<Connection>;

  zmq::socket_t open_router(zmq::context_t& context);
  void run() noexcept;
  bool wait_awake(ReceivedBatch& batch) noexcept;
  void handle_all(ReceivedBatch& batch) noexcept;
  void handle(Received& message) noexcept;
  void read(Received& message, ConnectionPtr connection, CallIds& ids);
  void take(const ConnectionPtr& connection, const wire::Envelope& envelope);
  ConnectionPtr greet(Received& message, const wire::Envelope& hello);
  std::optional<keys::ListedKey> proof_of(Received& message);
  ConnectionPtr admit(Received& message, const wire::Envelope& hello, std::optional<keys::ListedKey> proof);

  void refuse_hello(std::string_view routing_id, std::string_view code, std::string_view text);
  void refuse(std::string_view routing_id, std::uint64_t attempt, std::string_view code, std::string_view text);
  void malformed(Received& message, const ConnectionPtr& connection, std::string_view what, const CallIds& ids);

  void refuse_version(const ConnectionPtr& connection, const wire::Envelope& envelope);
  bool may(const ConnectionPtr& connection, const wire::Envelope& envelope);
  void take_closing(const ConnectionPtr& connection);
  void drain_monitor();
  void end_leaving(ReceivedBatch& batch) noexcept;
  void end_lost();
  void end_unlisted();
  void look_at_keys();
  void take_own_key();
  void end(const ConnectionPtr& connection);
  void end_all() noexcept;

  const CallPlaneOptions options_;
  const Logger log_;
  RequestEvents* events_ = nullptr;
  std::string bound_address_;
  std::string address_;
  registry::net::Door door_;
  std::optional<registry::net::Gatekeeper> gatekeeper_;
  std::shared_ptr<const keys::OwnKey> own_;  // with which it is bound
  std::shared_ptr<SharedRouter> router_;
  std::optional<registry::net::Monitor> monitor_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<Nanos> stop_by_{0};
  ConnectedNodes nodes_;
  Told told_;
  bool stopped_ = false;

  struct Lost {
    std::string node;
    std::uint64_t incarnation;
    std::string reason;
  };
  std::atomic<bool> has_lost_{false};
  std::atomic<bool> keys_changed_{false};
  std::atomic<std::uint64_t> turns_{0};
  Mutex mutex_;
  std::vector<Lost> lost_ BUSBAR_GUARDED_BY(mutex_);

  // the serving thread's
  ConnectionTable connections_;
  std::vector<ConnectionPtr> leaving_;  // their end was told, and what came over them may not have been read
  RateLimit refusals_;                  // by routing id, of connections without a handshake
  RateLimit refusal_lines_;             // by code
  YieldGuard yields_{kMillisecond};
  unsigned handled_ = 0;  // envelopes of the last batch
  unsigned unsent_ = 0;   // envelopes that were handled since answers were last sent

  std::atomic<std::uint64_t> connected_{0};
  std::atomic<std::uint64_t> from_before_{0};  // connections of nodes that stand since this one had another key
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> malformed_{0};
  keys::Keyring::Subscription keys_;  // last: what it calls is there
};

}  // namespace busbar::host
