// Nodes of a cluster as state machines over a network that is only a list of things to come: time is virtual, nothing
// waits, and the same seed gives the same run.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "membership/membership.hpp"

namespace busbar::registry::testing {

using namespace std::chrono_literals;

/// What a node's driver has been told. The view must be consistent: nobody joins twice, or leaves who is not in.
struct VirtualNode {
  MembershipOptions options;
  std::unique_ptr<Membership> machine;
  bool alive = false;
  bool frozen = false;
  int group = 0;  ///< nodes of different groups cannot reach each other
  std::map<std::string, NodeRecord> view;
  std::set<std::string> suspected;
  std::vector<std::string> left;  ///< "name: reason"
  std::vector<std::string> warnings;
  std::string refused;
  std::vector<std::uint64_t> raised;
  std::vector<std::function<void()>> waiting;  ///< what came while it was frozen
};

inline RemoteService service(const std::string& name, const std::string& router = "words") {
  return {.name = name, .router = router};
}

class VirtualNetwork {
 public:
  explicit VirtualNetwork(std::uint64_t seed = 1) : random_(seed) {}

  /// Starts a node, called `key` here; its address is tcp://KEY:1.
  VirtualNode& start(const std::string& key, const std::vector<std::string>& seeds, std::uint64_t incarnation = 10,
                     std::vector<RemoteService> services = {}, const std::string& name = {}) {
    VirtualNode& node = nodes_[key];
    node = {};
    node.options.node = name.empty() ? key : name;
    node.options.incarnation = incarnation;
    node.options.registry_address = address(key);
    node.options.call_address = "tcp://" + key + ":2";
    for (const std::string& seed : seeds) {
      (names.contains(seed) ? node.options.seed_names : node.options.seeds).push_back(address(seed));
    }
    node.options.max_peers = max_peers;
    node.options.random_seed = random_();
    node.machine = std::make_unique<Membership>(node.options, std::move(services));
    node.alive = true;
    act(key, node.machine->start(now_));
    return node;
  }
  static std::string address(const std::string& key) { return "tcp://" + key + ":1"; }

  VirtualNode& operator[](const std::string& key) { return nodes_.at(key); }
  std::map<std::string, VirtualNode>& nodes() { return nodes_; }
  Time now() const { return now_; }

  void change(const std::string& key, std::vector<RemoteService> services) {
    act(key, nodes_.at(key).machine->local_services_changed(now_, std::move(services)));
  }
  /// The process is killed: its connections end.
  void crash(const std::string& key) {
    nodes_.at(key).alive = false;
    break_connections(key);
  }
  /// It leaves in order: what it says last still arrives.
  void leave(const std::string& key) {
    act(key, nodes_.at(key).machine->leave(now_));
    nodes_.at(key).alive = false;
    at(latency + latency, [this, key] { break_connections(key); });
  }
  void freeze(const std::string& key) { nodes_.at(key).frozen = true; }
  void wake(const std::string& key) {
    VirtualNode& node = nodes_.at(key);
    node.frozen = false;
    if (node.alive) act(key, node.machine->tick(now_));
    for (const auto& input : std::exchange(node.waiting, {})) input();
  }
  /// Sends bytes on all connections that `from` has dialled to `to`, as they are.
  void inject(const std::string& from, const std::string& to, const std::vector<std::uint8_t>& bytes) {
    for (auto& [link, connection] : connections_) {
      if (connection.from == from && connection.to == to) deliver(link, true, bytes);
    }
  }
  /// A connection of somebody who is no node.
  CallerId stranger() { return CallerId{++last_caller_}; }
  /// What a node answers to a stranger.
  std::vector<wire::Message> ask(const std::string& key, CallerId stranger, const wire::Message& message) {
    strangers_[stranger].clear();
    act(key, nodes_.at(key).machine->from_caller(now_, stranger, message));
    return strangers_[stranger];
  }
  /// The connection that `from` has dialled to `to` breaks; both live on.
  void cut(const std::string& from, const std::string& to) {
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto [link, connection] = *at++;
      if (connection.from != from || connection.to != to) continue;
      connections_.erase(link);
      dialled_.erase(link);
      tell_caller_gone(connection);
      act(from, nodes_.at(from).machine->link_down(now_, link.second, "cut"));
    }
  }
  /// The stranger's connection ends.
  void hang_up(const std::string& key, CallerId stranger) {
    act(key, nodes_.at(key).machine->caller_gone(now_, stranger));
  }

  void run(Duration time) {
    const Time end = now_ + time;
    for (int steps_at_once = 0; step(end, steps_at_once);) {
      if (steps_at_once > 10'000) {
        ADD_FAILURE() << "time stands still";
        return;
      }
    }
    now_ = end;
  }

  Duration latency = 1ms;
  /// What a seed stands for that is a name, by key: nodes; empty: it cannot be looked up.
  std::map<std::string, std::vector<std::string>> names;
  bool names_hang = false;  ///< no look-up ends
  std::size_t looked_up = 0;
  unsigned max_peers = kUsualMaxPeers;  ///< of nodes that are started from now on
  std::function<bool(const std::string& from, const std::string& to, const wire::Message&)> drop;
  std::function<bool(const std::string& from, const std::string& to, const wire::Message&)> duplicate;
  std::size_t sent = 0;

 private:
  struct Connection {
    std::string from, to;
    CallerId caller{};
    Time last_to_caller{}, last_to_link{};  // what is sent later does not arrive earlier
  };
  using Link = std::pair<std::string, LinkId>;
  struct Event {
    Time when;
    std::uint64_t number;
    std::function<void()> what;
    bool operator<(const Event& other) const { return when != other.when ? when > other.when : number > other.number; }
  };

  void at(Duration delay, std::function<void()> what) { events_.push({now_ + delay, ++last_event_, std::move(what)}); }

  bool step(Time end, int& steps_at_once) {
    Time next = events_.empty() ? Time::max() : events_.top().when;
    std::string due;
    for (auto& [key, node] : nodes_) {
      if (!node.alive || node.frozen) continue;
      const Time deadline = node.machine->next_deadline();
      if (deadline < next) {
        next = deadline;
        due = key;
      }
    }
    if (next > end) return false;
    steps_at_once = next > now_ ? 0 : steps_at_once + 1;
    now_ = std::max(now_, next);
    if (!due.empty()) {
      act(due, nodes_.at(due).machine->tick(now_));
    } else {
      const auto what = events_.top().what;
      events_.pop();
      what();
    }
    return true;
  }

  /// An input for a node, now, or when it wakes.
  void input(const std::string& key, const Membership* machine, std::function<Actions(Membership&)> what) {
    VirtualNode& node = nodes_.at(key);
    if (!node.alive || node.machine.get() != machine) return;  // it has been restarted
    if (node.frozen) {
      node.waiting.push_back([this, key, machine, what] { input(key, machine, what); });
    } else {
      act(key, what(*node.machine));
    }
  }

  void act(const std::string& key, const Actions& actions) {
    for (const Action& action : actions) {
      std::visit([&](const auto& one) { take(key, nodes_.at(key), one); }, action);
    }
  }

  void take(const std::string& key, VirtualNode& node, const Connect& connect) {
    const Link link{key, connect.link};
    const Membership* machine = node.machine.get();
    dialled_[link] = true;
    at(latency, [this, link, machine, address = connect.address] { establish(link, machine, address); });
  }
  void establish(const Link& link, const Membership* machine, const std::string& address) {
    const std::string& key = link.first;
    if (!dialled_.contains(link)) return;
    for (auto& [to, node] : nodes_) {
      if (VirtualNetwork::address(to) != address && "tcp://alias-" + to + ":1" != address) continue;
      if (node.group != nodes_.at(key).group) return;  // nobody answers
      if (!node.alive) continue;
      connections_[link] = {key, to, CallerId{++last_caller_}};
      return input(key, machine, [this, link](Membership& m) { return m.link_up(now_, link.second); });
    }
    dialled_.erase(link);
    input(key, machine, [this, link](Membership& m) { return m.link_down(now_, link.second, "connection refused"); });
  }
  void take(const std::string& key, VirtualNode& node, const Resolve& resolve) {
    ++looked_up;
    if (names_hang) return;
    at(latency, [this, key, machine = node.machine.get(), name = resolve.name] {
      std::vector<std::string> addresses;
      for (const auto& [named, nodes] : names) {
        for (const auto& each : nodes) {
          if (address(named) == name) addresses.push_back(address(each));
        }
      }
      const std::string error = addresses.empty() ? "no such name" : "";
      input(key, machine, [=, this](Membership& m) { return m.resolved(now_, name, addresses, error); });
    });
  }
  void take(const std::string& key, VirtualNode&, const Close& close) {
    const Link link{key, close.link};
    dialled_.erase(link);
    if (const auto connection = connections_.extract(link)) tell_caller_gone(connection.mapped());
  }
  /// After what was said on it. Nobody is told across the border of a group.
  void tell_caller_gone(const Connection& connection) {
    const VirtualNode& to = nodes_.at(connection.to);
    if (to.group != nodes_.at(connection.from).group) return;
    const Time when = std::max(connection.last_to_caller, now_ + latency);
    at(when - now_, [this, key = connection.to, machine = to.machine.get(), caller = connection.caller] {
      input(key, machine, [=, this](Membership& m) { return m.caller_gone(now_, caller); });
    });
  }
  void take(const std::string& key, VirtualNode&, const SendToLink& send) {
    const Link link{key, send.link};
    if (connections_.contains(link)) transmit(link, true, *send.message);
  }
  void take(const std::string&, VirtualNode&, const SendToCaller& send) {
    if (const auto stranger = strangers_.find(send.caller); stranger != strangers_.end()) {
      stranger->second.push_back(*send.message);
      return;
    }
    for (auto& [link, connection] : connections_) {
      if (connection.caller == send.caller) return transmit(Link(link), false, *send.message);
    }
  }
  void take(const std::string& key, VirtualNode& node, const NodeJoined& joined) {
    EXPECT_TRUE(node.view.emplace(joined.record.name, joined.record).second)
        << joined.record.name << " joined twice at " << key;
  }
  void take(const std::string& key, VirtualNode& node, const RecordChanged& changed) {
    ASSERT_TRUE(node.view.contains(changed.record.name)) << key;
    EXPECT_TRUE(changed.record.is_newer_than(node.view[changed.record.name])) << key;
    node.view[changed.record.name] = changed.record;
  }
  void take(const std::string& key, VirtualNode& node, const NodeSuspected& suspected) {
    EXPECT_TRUE(node.view.contains(suspected.name)) << key;
    EXPECT_TRUE(node.suspected.insert(suspected.name).second) << suspected.name << " is suspect twice at " << key;
  }
  void take(const std::string& key, VirtualNode& node, const NodeTrusted& trusted) {
    EXPECT_EQ(node.suspected.erase(trusted.name), 1U) << trusted.name << " was not suspect at " << key;
  }
  void take(const std::string& key, VirtualNode& node, const NodeLeft& left) {
    ASSERT_TRUE(node.view.contains(left.name)) << key;
    EXPECT_EQ(node.view[left.name].incarnation, left.incarnation);
    node.suspected.erase(left.name);
    node.view.erase(left.name);
    node.left.push_back(left.name + ": " + left.reason);
  }
  void take(const std::string&, VirtualNode& node, const RefusedHere& refused) { node.refused = refused.text; }
  void take(const std::string&, VirtualNode& node, const IncarnationRaised& raised) {
    node.raised.push_back(raised.incarnation);
  }
  void take(const std::string&, VirtualNode& node, const Warn& warn) { node.warnings.push_back(warn.text); }

  void transmit(const Link& link, bool to_caller, const wire::Message& message) {
    const Connection& connection = connections_.at(link);
    const std::string& from = to_caller ? connection.from : connection.to;
    const std::string& to = to_caller ? connection.to : connection.from;
    ++sent;
    if (nodes_.at(from).group != nodes_.at(to).group || (drop && drop(from, to, message))) return;
    deliver(link, to_caller, wire::encode(message));
    if (duplicate && duplicate(from, to, message)) deliver(link, to_caller, wire::encode(message));
  }
  void deliver(const Link& link, bool to_caller, const std::vector<std::uint8_t>& bytes) {
    Connection& connection = connections_.at(link);
    Time& last = to_caller ? connection.last_to_caller : connection.last_to_link;
    last = std::max(last, now_ + latency);
    const std::string receiver = to_caller ? connection.to : connection.from;
    const Membership* machine = nodes_.at(receiver).machine.get();
    at(last - now_, [=, this, caller = connection.caller] {
      input(receiver, machine, [=, this](Membership& m) {
        try {
          const auto message = wire::decode(bytes);
          return to_caller ? m.from_caller(now_, caller, message) : m.from_link(now_, link.second, message);
        } catch (const wire::BadMessage& error) {
          return to_caller ? m.bad_from_caller(now_, caller, error.what())
                           : m.bad_from_link(now_, link.second, error.what());
        }
      });
    });
  }

  void break_connections(const std::string& key) {
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto [link, connection] = *at;
      if (connection.from != key && connection.to != key) {
        ++at;
        continue;
      }
      at = connections_.erase(at);
      dialled_.erase(link);
      if (connection.from == key) tell_caller_gone(connection);
      if (connection.to != key || nodes_.at(key).group != nodes_.at(link.first).group) continue;  // nobody is told
      const Membership* machine = nodes_.at(link.first).machine.get();
      this->at(latency, [this, link = link, machine] {
        input(link.first, machine, [=, this](Membership& m) { return m.link_down(now_, link.second, "reset"); });
      });
    }
  }

  Time now_ = Time{} + 1h;
  std::mt19937_64 random_;
  std::map<std::string, VirtualNode> nodes_;
  std::map<Link, Connection> connections_;
  std::map<Link, bool> dialled_;
  std::map<CallerId, std::vector<wire::Message>> strangers_;
  std::priority_queue<Event> events_;
  std::uint64_t last_event_ = 0;
  std::uint64_t last_caller_ = 0;
};

/// Whether everybody who is alive knows exactly who else is, by their newest record. In words, where not.
inline std::string disagreement(VirtualNetwork& network) {
  std::string found;
  for (auto& [key, node] : network.nodes()) {
    if (!node.alive) continue;
    std::set<std::string> expected;
    for (auto& [other_key, other] : network.nodes()) {
      if (!other.alive || other_key == key) continue;
      const NodeRecord& record = other.machine->record();
      expected.insert(record.name);
      if (!node.view.contains(record.name)) {
        found += key + " does not know " + other_key + "; ";
      } else if (node.view.at(record.name) != record) {
        found += key + " has an old record of " + other_key + "; ";
      }
    }
    for (const auto& [name, record] : node.view) {
      if (!expected.contains(name)) found += key + " knows " + name + ", which is gone; ";
    }
  }
  return found;
}

}  // namespace busbar::registry::testing
