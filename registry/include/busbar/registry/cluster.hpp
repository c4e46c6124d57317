// This node's membership in a cluster: finds the other nodes through seeds, tells them what is offered here, learns
// what they offer, and notices when one is gone (contract, C-G1 to C-G9; docs/protocol.md, "The registry's plane").
#pragma once

#include <busbar/keys/keyring.hpp>
#include <busbar/limits.hpp>
#include <busbar/registry/net/door.hpp>
#include <busbar/registry/net/resolver.hpp>
#include <busbar/registry/record.hpp>
#include <busbar/registry/registry.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::registry {

struct ClusterOptions {
  std::string node{};                        ///< this node's name
  std::string cluster = "busbar";            ///< nodes of another cluster's name are refused, in words
  std::uint64_t incarnation = 0;             ///< see incarnation.hpp
  std::string listen = "tcp://127.0.0.1:*";  ///< where the registry's ROUTER binds; a wildcard port is read back
  std::string advertise{};                   ///< the host part that others are told, in place of the bound one
  std::string call_address{};                ///< as it goes into the record, advertised already
  std::vector<std::string> seeds{};  ///< registry addresses of nodes that may know others; our own is passed over
  std::chrono::milliseconds heartbeat{1'000};
  std::chrono::milliseconds lost_after{3'000};
  unsigned max_peers = kUsualMaxPeers;       ///< other nodes at a time; more are refused
  net::Lookup lookup = net::look_up;         ///< for addresses with names
  std::shared_ptr<keys::Keyring> keyring{};  ///< null: without keys, so that who comes is who it says
  net::DoorLimits door{};
  net::DoorReport report{};  ///< is told who was turned away
};

enum class NodeState {
  self,        ///< this node
  joining,     ///< known by its record; calls cannot be sent there yet
  up,          ///< routable
  suspect,     ///< routable, but nothing was heard of it for a while: others are asked first
  unreachable  ///< a member by the registry's plane, but its call plane is down
};
std::string_view name_of(NodeState state) noexcept;

/// A row of `busbar nodes`.
struct NodeRow {
  std::string name;
  NodeState state{};
  std::chrono::system_clock::time_point state_since{};  ///< when this node came to see it so
  std::string call_address;
  std::string registry_address;
  std::uint64_t incarnation = 0;
  std::uint64_t version = 0;                              ///< of the record that is known
  std::chrono::system_clock::time_point since{};          ///< when this node learnt of it
  std::chrono::system_clock::time_point version_since{};  ///< when that record came; of this node's own: was made
  std::chrono::microseconds round_trip{};                 ///< of the last heartbeat; 0: none yet
  std::size_t services = 0;
};

/// A node that is no member any more, as far as it is remembered.
struct DepartedRow {
  std::string name;
  std::string registry_address;
  std::uint64_t incarnation = 0;
  bool may_return = false;                        ///< in this incarnation: it has not said goodbye
  std::chrono::system_clock::time_point since{};  ///< when it was last a member
  std::string reason;                             ///< why it is none any more, in words
};

/// What a membership tells, and what it needs from whoever can reach nodes. Threads: the cluster's own, one call at a
/// time, with nothing held; each must be short and must not call the cluster back, but for `rows`.
class ClusterListener {
 public:
  virtual ~ClusterListener() = default;
  /// A node has been met, or an incarnation of it that is new: makes what reaches it. The registry shares it.
  virtual std::shared_ptr<RemoteNode> node_joined(const NodeRecord& record) = 0;
  /// Nothing was heard of it for a while, so that it may be lost soon; or it was heard again.
  virtual void node_suspected(std::string_view /*node*/, bool /*suspected*/) {}
  /// It is gone: said goodbye, died, or was replaced by a later incarnation. Calls under way there end at once (C-D9).
  virtual void node_left(const std::shared_ptr<RemoteNode>& node, std::string_view reason) = 0;
  /// After `Cluster::replace`: nobody finds this way to a node any more; the one before, or, where that node had gone
  /// meanwhile, the new one.
  virtual void node_replaced(const std::shared_ptr<RemoteNode>& /*unused*/) {}
  /// `Cluster::introduced` holds from now on. Once.
  virtual void introduced() {}
  /// This node's name is held by another live one (C-G7), or the cluster refuses it for another reason: it stays
  /// outside. In words for an operator.
  virtual void refused(std::string_view reason) = 0;
  /// This node has taken a higher incarnation, because it heard of one of its own name (C-G9): to be stored.
  virtual void incarnation_raised(std::uint64_t incarnation) = 0;
  /// Something that an operator may want to read: another cluster's name, another version, a broken message.
  virtual void warn(std::string_view text) = 0;
};

/// The registry's sockets could not be opened. `what()` is for an operator.
class ClusterError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Ownership: registry and listener outlive `stop`. Threads: one of its own, "busbar-registry"; every function may be
/// called from any other.
class Cluster {
 public:
  /// Binds, so that `address` is known; nothing is sent or received before `start`. Errors: ClusterError.
  Cluster(ClusterOptions options, Registry& registry, ClusterListener& listener);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Where others reach this node's registry: what they give to `--join`. Advertised.
  const std::string& address() const noexcept;
  /// Where it listens: an address of this machine, perhaps with a wildcard for its host.
  const std::string& bound_address() const noexcept;
  /// The one in use now; it may have been raised since the options were made.
  std::uint64_t incarnation() const noexcept;
  /// Begins: dials the seeds, serves others, and follows the registry's local services.
  void start();
  /// Whether every seed, and every node that they have told of, has been tried once, and each that answered has been
  /// joined. Once one has been, a second is enough for the others.
  bool introduced() const noexcept;
  /// How many of its connections have a key that the one or the other end has replaced.
  std::uint64_t renewing() const noexcept;
  /// This node first, then the others by name. From a snapshot: never waits for the cluster's thread.
  std::vector<NodeRow> rows() const;
  /// Those that have left in the last ten minutes and have not come back, by name. As `rows`.
  std::vector<DepartedRow> departed() const;
  /// A node's link for calls has come up or gone down: takes it into account at once, on the calling thread.
  void routability_changed();
  /// There is another way to reach that node, in the same incarnation: from some moment on, which `node_replaced`
  /// tells, it alone is found.
  void replace(std::shared_ptr<RemoteNode> before, std::shared_ptr<RemoteNode> node);
  /// Whether its thread has turned since this was last called. Has it turn once more, and does not wait for that; the
  /// first time nothing was asked yet, and it is true. Threads: one at a time.
  bool turns() noexcept;
  /// Waits until every node that this one is connected to has said that it has this node's record, with what has
  /// changed before this call; at most so long. False: not all have.
  bool wait_acknowledged(std::chrono::milliseconds at_most);
  /// Says goodbye to everybody, takes their services out of the registry (each is told as `node_left`), and ends the
  /// thread: within some 200 ms. A second call does nothing, nor does a `start` after it.
  void stop() noexcept;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace busbar::registry
