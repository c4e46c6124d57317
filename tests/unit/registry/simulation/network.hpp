// A cluster of membership machines over a network that is only a list of things to come: time is virtual, nothing
// waits, and the same seed gives the same run.
//
// A node lives at a *place*, which has one address; its process can end and another one start there, under the same
// name or another. What a connection's ends are told follows TCP: who ends tells the other, if anything gets there, and
// whoever sends to an end that is no more is told so by its machine, if that runs and is reached.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "membership/membership.hpp"
#include "unit/registry/simulation/event_queue.hpp"
#include "unit/registry/simulation/view.hpp"

namespace busbar::registry::testing {

using namespace std::chrono_literals;

/// A place, and the process that runs there or was the last to.
struct VirtualNode {
  std::string key;
  MembershipOptions options;
  std::unique_ptr<Membership> machine;
  bool alive = false;   ///< its process runs
  bool frozen = false;  ///< it is stopped: what comes waits
  bool is_off = false;  ///< the machine is off: what comes is lost
  int group = 0;        ///< places of different groups cannot reach each other
  Duration clock{};     ///< its steady clock's lead over the network's
  View view;
  std::set<std::string> suspected;
  std::vector<std::string> left;  ///< "name: reason"
  std::vector<std::string> warnings;
  std::string refused;  ///< the text, once it was
  std::vector<std::uint64_t> raised;

  std::uint32_t life = 0;      ///< counts its processes
  Time looked_at{};            ///< when `tick` may be due, as far as was planned
  std::vector<Event> waiting;  ///< what came while it was frozen
};

/// How messages travel. By default all do, in a millisecond, and in order.
struct Weather {
  Duration least = 1ms, most = 1ms;
  double slow = 0;  ///< so many take ten times the most
  double loss = 0;
  double duplication = 0;
  bool ordered = true;  ///< within a connection
};

class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(std::uint64_t seed = 1) : random_(seed) {}
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;

  /// Starts a node at the place called `key`; its address is tcp://KEY:1.
  VirtualNode& start(const std::string& key, const std::vector<std::string>& seeds, std::uint64_t incarnation = 10,
                     std::vector<RemoteService> services = {}, const std::string& name = {});
  static std::string address(const std::string& key) { return "tcp://" + key + ":1"; }

  /// Whether or not anybody has started there.
  VirtualNode& place(const std::string& key) { return nodes_[index_of(key)]; }
  VirtualNode& operator[](const std::string& key) { return nodes_[index_.at(key)]; }
  std::deque<VirtualNode>& nodes() { return nodes_; }
  const std::deque<VirtualNode>& nodes() const { return nodes_; }
  Time now() const { return now_; }
  void run(Duration time);

  // -- what happens to nodes
  void change(const std::string& key, std::vector<RemoteService> services);
  /// The process is killed: its connections end.
  void crash(const std::string& key);
  /// The machine is switched off: nobody is told.
  void switch_off(const std::string& key);
  /// The process leaves in order: what it says last is on its way.
  void leave(const std::string& key);
  void freeze(const std::string& key) { (*this)[key].frozen = true; }
  void wake(const std::string& key);

  // -- what happens to connections
  /// The connections that `from` has dialled to `to` end, while both live on. Who is told?
  enum class Told { both, dialler, dialled };
  void cut(const std::string& from, const std::string& to, Told told = Told::both);
  /// Those over the border of a group end, and all that hold them are told.
  void cut_borders();
  /// So many of the messages from one place to another are lost, besides what the weather takes.
  void lose(const std::string& from, const std::string& to, double part);
  void lose_nothing() { losses_.clear(); }
  /// Sends bytes on all connections that `from` has dialled to `to`, as they are.
  void inject(const std::string& from, const std::string& to, const std::vector<std::uint8_t>& bytes);

  // -- a connection of somebody who is no node
  CallerId stranger();
  /// What a node answers to a stranger.
  std::vector<wire::Message> ask(const std::string& key, CallerId stranger, const wire::Message& message);
  void hang_up(const std::string& key, CallerId stranger);

  std::chrono::milliseconds heartbeat{1'000};  ///< of those that are started from now on
  std::chrono::milliseconds lost_after{3'000};
  unsigned max_peers = kUsualMaxPeers;
  /// What a seed stands for that is a name, by key: places; empty: it cannot be looked up.
  std::map<std::string, std::vector<std::string>> names;
  bool names_hang = false;  ///< no look-up ends
  std::size_t looked_up = 0;
  Weather weather;
  bool borders_refuse = false;  ///< who dials over the border of a group is told at once that it is in vain
  bool encodes = true;          ///< messages go as bytes; else as they are, which is quicker
  bool views = true;            ///< nodes have views; they take memory
  /// How often a node's deadlines are looked at, where not after each input.
  Duration grain = Duration::zero();
  std::function<bool(const std::string& from, const std::string& to, const wire::Message&)> drop;
  std::function<bool(const std::string& from, const std::string& to, const wire::Message&)> duplicate;
  std::function<void(const std::shared_ptr<const wire::Message>&)> on_send;
  /// What a view was told, in words.
  std::function<void(const std::string&)> on_event;
  std::size_t sent = 0;
  std::size_t most_sent = ~std::size_t{0};  ///< with more it is over: they talk each other into it
  std::vector<std::string> violations;      ///< of what must hold at any time, in words

 private:
  using Kind = Event::Kind;
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};
  struct Connection {
    std::uint32_t from = kNobody, to = kNobody;  // nodes; `to` is none until somebody has answered
    std::uint32_t from_life = 0, to_life = 0;
    LinkId link{};
    bool from_holds = false, to_holds = false;  // have not been told of its end, nor ended it
    bool established = false;
    Time last_to_caller{}, last_to_link{};  // what is sent later does not arrive earlier, when messages are in order
  };

  std::uint32_t index_of(const std::string& key);
  static CallerId caller_of(std::uint32_t connection) { return CallerId{connection + std::uint64_t{1}}; }
  bool reach(std::uint32_t from, std::uint32_t to) const { return nodes_[from].group == nodes_[to].group; }
  Duration travel_time();
  bool happens(double part) { return part > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < part; }
  bool is_lost(std::uint32_t from, std::uint32_t to, const wire::Message& message);
  Packet pack(const std::shared_ptr<const wire::Message>& message);

  void put(Time when, Kind kind, std::uint32_t node, std::uint32_t connection, Packet packet = {});
  void happen(Event event);
  void look(const Event& event);
  void plan(std::uint32_t node, Time due);
  void resolve(const Event& event);
  Time deadline(const VirtualNode& node) const;
  void establish(Event event);
  void arrive(Event event);
  void answer_for_the_dead(const Event& event);
  Actions hear(const Event& event);
  Actions hear_packet(const Event& event);
  void tell_caller_gone(std::uint32_t number);
  void tell_link_down(std::uint32_t number);
  void end_process(VirtualNode& node, bool is_told);

  void act(std::uint32_t node, const Actions& actions);
  void take(std::uint32_t node, const Connect& connect);
  void take(std::uint32_t node, const Resolve& resolve);
  void take(std::uint32_t node, const Close& close);
  void take(std::uint32_t node, const SendToLink& send);
  void take(std::uint32_t node, const SendToCaller& send);
  void take(std::uint32_t node, const NodeJoined& joined);
  void take(std::uint32_t node, const RecordChanged& changed);
  void take(std::uint32_t node, const NodeSuspected& suspected);
  void take(std::uint32_t node, const NodeTrusted& trusted);
  void take(std::uint32_t node, const NodeLeft& left);
  void take(std::uint32_t node, const RefusedHere& refused);
  void take(std::uint32_t node, const IncarnationRaised& raised);
  void take(std::uint32_t node, const Warn& warning);
  void transmit(std::uint32_t number, Kind kind, const std::shared_ptr<const wire::Message>& message);
  void travel(std::uint32_t number, Kind kind, Packet packet);
  void check(std::uint32_t node, const std::string& wrong);
  void tell(std::uint32_t node, const std::string& what);
  std::string at_time() const;

  Time now_ = Time{} + 1h;
  int steps_at_once_ = 0;
  std::mt19937_64 random_;
  std::deque<VirtualNode> nodes_;
  std::unordered_map<std::string, std::uint32_t> index_;       // by key
  std::unordered_map<std::string, std::uint32_t> by_address_;  // also the places' other addresses
  std::vector<Connection> connections_;                        // numbered as the callers are, but for strangers
  std::vector<std::unordered_map<std::uint64_t, std::uint32_t>> links_;  // of each node: the connection of a link
  struct LookUp {
    std::string name;
    std::uint32_t life = 0;  // of who asked
  };
  std::vector<LookUp> look_ups_;
  std::unordered_map<std::uint32_t, std::string> dialled_;  // the address, until there is a connection
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> losses_;
  std::map<CallerId, std::vector<wire::Message>> strangers_;
  std::shared_ptr<const wire::Message> packed_;  // whose bytes are in packed_bytes_: it may go to many
  std::shared_ptr<const std::vector<std::uint8_t>> packed_bytes_;
  EventQueue events_;
};

}  // namespace busbar::registry::testing
