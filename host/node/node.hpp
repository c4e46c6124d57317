// A member of a cluster as an object: any C++ program that has one is a full client, and with plugins it is a host.
#pragma once

#include <busbar/call_options.hpp>
#include <busbar/keys/keyring.hpp>
#include <busbar/limits.hpp>
#include <busbar/message.hpp>
#include <busbar/pulse.hpp>
#include <busbar/registry/cluster.hpp>
#include <busbar/registry/registry.hpp>
#include <busbar/thread_safety.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "events/events.hpp"
#include "log/log.hpp"
#include "node/membership.hpp"
#include "node/turned_away.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"
#include "transport/call_plane.hpp"

namespace busbar {

struct NodeOptions {
  std::string name{};                                 ///< empty: the host name, "-" and the process's number
  std::string cluster = "busbar";                     ///< nodes of another cluster's name refuse this one
  std::vector<std::string> join{};                    ///< registry addresses of nodes that know others
  std::string listen = "tcp://127.0.0.1:*";           ///< where it is called
  std::string registry_listen = "tcp://127.0.0.1:*";  ///< where other nodes' registries reach it
  std::string advertise{};                            ///< the host that others are told, in place of those above
  keys::Keyring::Files security{};                    ///< with keys: this node's, and of whom it lets in; empty: none
  bool insecure = false;                              ///< may use addresses that other machines can reach, without keys
  std::filesystem::path state_dir{};                  ///< keeps the incarnation between runs (C-G9); empty: nothing
  std::chrono::milliseconds heartbeat{1'000};         ///< how often nodes show each other that they live
  std::chrono::milliseconds lost_after{3'000};        ///< how long one may be silent before it counts as dead
  unsigned max_peers = kUsualMaxPeers;                ///< other nodes at a time; registry/net/capacity.hpp says more
  std::size_t max_message = 64 * 1024 * 1024;         ///< bytes that are accepted in one frame
  std::size_t peer_queue = 64 * 1024 * 1024;          ///< bytes that may wait to be sent to one other node
  unsigned peer_calls = kUsualPeerCalls;              ///< calls of one other node or client that are under way here
  registry::net::DoorLimits door{};                   ///< who comes in how often, on each of the two planes
  host::PoolOptions pool{};                           ///< for the handlers of services, where it has any
  host::Logger log{};                                 ///< what an operator should read; by default nothing is written
};

/// What has become of joining.
enum class JoinState {
  joining,  ///< not every seed has been tried yet
  joined,   ///< it is a member; without a seed that answers: so far the only one
  refused,  ///< it stays outside, see Node::refusal
};

/// A node cannot be made of these options: `what()` says which one, and what was expected.
class NodeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A call that was answered with anything but a success: `what()` says with what.
class CallFailed : public std::runtime_error {
 public:
  CallFailed(std::string_view service, Response response);
  const Response& response() const noexcept { return response_; }

 private:
  const Response response_;
};

/// Ownership: everything that makes a node. Threads: made, started and stopped by one; everything else from any.
/// Example: busbar::Node node({.name = "client", .join = {"tcp://127.0.0.1:4711"}});
///          if (node.wait_for("greet", 5s)) std::cout << node.call<Greeting>("greet", Greet{"you"}).text;
class Node {
 public:
  /// Binds its sockets, and begins to join: in the background, and for ever if no seed answers.
  /// Errors: NodeError, keys::KeyError, registry::ClusterError, host::CallPlaneError, std::system_error.
  explicit Node(NodeOptions options);
  /// Stops.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const std::string& name() const noexcept { return dispatcher_.node(); }
  const std::string& cluster_name() const noexcept { return options_.cluster; }
  bool insecure() const noexcept { return options_.insecure; }
  /// Null: it has no keys, and asks for none.
  const keys::Keyring* keyring() const noexcept { return keyring_.get(); }
  const host::TurnedAwayLog& turned_away() const noexcept { return turned_away_; }
  const std::string& address() const noexcept { return call_plane_->address(); }        ///< where it is called
  const std::string& registry_address() const noexcept { return cluster_->address(); }  ///< what others join through
  /// Where its sockets listen: others than those where it is `advertise`d, or bound to a wildcard.
  const std::string& bound_address() const noexcept { return call_plane_->bound_address(); }
  const std::string& bound_registry_address() const noexcept { return cluster_->bound_address(); }
  std::uint64_t incarnation() const noexcept { return cluster_->incarnation(); }

  JoinState join_state() const;
  /// Waits until it is decided, at most for `timeout`.
  JoinState wait_joined(std::chrono::milliseconds timeout) const;
  /// Why the cluster refused it, in words; empty if it has not.
  std::string refusal() const;
  /// The nodes that it knows: this one first, then the others by name.
  std::vector<registry::NodeRow> nodes() const { return cluster_->rows(); }
  /// Those that have left not long ago.
  std::vector<registry::DepartedRow> departed_nodes() const { return cluster_->departed(); }

  /// Waits until somebody provides the service. False: nobody does within `timeout`, or the cluster refuses this node.
  bool wait_for(std::string_view service, std::chrono::milliseconds timeout) const;
  /// Who provides it now: `local` for this node.
  std::vector<host::Provider> discover(std::string_view service) const;

  /// Dispatches and waits; what came back (C-M9). In each of these a time may stand in place of the options:
  /// `node.dispatch(message, 2s)`.
  Message dispatch(Message message, const CallOptions& given = {});
  template <class Rep, class Period>
  Message dispatch(Message message, std::chrono::duration<Rep, Period> timeout) {
    return dispatch(std::move(message), detail::only_timeout(timeout));
  }
  /// The same without waiting; `callback` runs on the thread that ends the call, and must not block.
  void dispatch_async(Message message, host::Callback callback, const CallOptions& given = {});
  template <class Rep, class Period>
  void dispatch_async(Message message, host::Callback callback, std::chrono::duration<Rep, Period> timeout) {
    dispatch_async(std::move(message), std::move(callback), detail::only_timeout(timeout));
  }
  /// The answer's value. Errors: CallFailed; DecodeError where the answer is no `Answer`.
  template <class Answer, class Request>
  Answer call(std::string_view service, const Request& request, const CallOptions& given = {}) {
    const Message outcome = dispatch(Message::of(service, request), given);
    if (!outcome.response().succeeded()) throw CallFailed(service, outcome.response());
    return outcome.response().template value_as<Answer>();
  }
  template <class Answer, class Request, class Rep, class Period>
  Answer call(std::string_view service, const Request& request, std::chrono::duration<Rep, Period> timeout) {
    return call<Answer>(service, request, detail::only_timeout(timeout));
  }

  /// Leaves in order, within a second: see the other one. Not from a callback. A second call does nothing.
  void stop() noexcept;

  // -- for a host, which has plugins, and more to set up and to end

  struct Hooks {
    /// The cluster refuses this node. On a thread of the node's, which must not stop it.
    std::function<void(std::string_view reason)> refused{};
    /// Another node or a client asks something about this one: answered by a `document` envelope of that attempt.
    std::function<void(const std::shared_ptr<host::Requester>&, std::uint64_t attempt, wire::Bytes body)> query{};
  };
  struct NotStarted {};
  /// Binds alone; `start` must follow.
  Node(NodeOptions options, NotStarted);
  void start(Hooks hooks);
  /// Has `tell` called when this node has joined; at once if it has. Never where it is refused, or stops before.
  void when_joined(std::function<void()> tell);
  // Leaving, in these steps, each of which ends at the deadline at the latest; none is done twice (decision 0016).

  /// Other nodes are told that nothing is offered here any more. When those that are connected have taken note, which
  /// is waited for a moment, what is asked all the same is refused, unstarted. Calls that are under way, and those from
  /// here, go on.
  void withdraw(host::Nanos deadline);
  /// Waits until all that other nodes and clients have asked is answered, with the nested calls that this takes. Then
  /// runs what is queued in the pool, which runs nothing any more afterwards.
  host::PoolStopped drain(host::Nanos deadline);
  /// What is left of these steps; then waits until other nodes have every answer, ends all calls, tells the others
  /// goodbye, and ends the threads.
  void stop(host::Nanos deadline) noexcept;

  host::Dispatcher& dispatcher() noexcept { return dispatcher_; }
  registry::Registry& registry() noexcept { return registry_; }
  const registry::Registry& registry() const noexcept { return registry_; }
  host::EventStream& events() noexcept { return events_; }
  host::PoolStats pool_stats() const noexcept { return pool_.stats(); }
  host::CallPlaneStats call_stats() const { return call_plane_->stats(); }
  /// The threads that have not turned since this was last asked; each is then woken, to turn once more. Those that
  /// run handlers are not among them. Between `start` and `stop`. Threads: one at a time.
  std::vector<std::string_view> stuck_threads();
  /// How many connections to or from nodes still have a key that the one or the other has replaced: when there are none
  /// on any node, the key before can be taken away.
  std::uint64_t renewing() const { return call_plane_->stats().renewing + cluster_->renewing(); }

 private:
  void joined();
  void refused(std::string_view reason);

  const NodeOptions options_;
  host::TurnedAwayLog turned_away_;
  const std::shared_ptr<keys::Keyring> keyring_;

  host::EventStream events_;
  registry::Registry registry_;
  host::Supervisor supervisor_;
  host::Pool pool_;
  host::Dispatcher dispatcher_;
  std::unique_ptr<host::CallPlane> call_plane_;
  std::unique_ptr<host::Membership> membership_;
  std::unique_ptr<registry::Cluster> cluster_;
  Hooks hooks_;  // constant from `start` on
  bool withdrawn_ = false;
  std::optional<host::PoolStopped> drained_;
  bool stopped_ = false;

  mutable Mutex mutex_;
  mutable std::condition_variable_any decided_;
  JoinState join_state_ BUSBAR_GUARDED_BY(mutex_) = JoinState::joining;
  std::string refusal_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> when_joined_ BUSBAR_GUARDED_BY(mutex_);

  Pulse supervisors_pulse_;
};

}  // namespace busbar
