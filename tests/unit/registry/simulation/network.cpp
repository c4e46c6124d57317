#include "unit/registry/simulation/network.hpp"

#include <algorithm>
#include <utility>

namespace busbar::registry::testing {
namespace {

constexpr std::uint64_t kFirstStranger = std::uint64_t{1} << 40U;

}  // namespace

std::uint32_t SimulatedNetwork::index_of(const std::string& key) {
  const auto [at, is_new] = index_.try_emplace(key, static_cast<std::uint32_t>(nodes_.size()));
  if (is_new) {
    nodes_.emplace_back().key = key;
    links_.emplace_back();
    by_address_.emplace(address(key), at->second);
    by_address_.emplace("tcp://alias-" + key + ":1", at->second);
  }
  return at->second;
}

VirtualNode& SimulatedNetwork::start(const std::string& key, const std::vector<std::string>& seeds,
                                     std::uint64_t incarnation, std::vector<RemoteService> services,
                                     const std::string& name) {
  const std::uint32_t index = index_of(key);
  VirtualNode& node = nodes_[index];
  MembershipOptions options;
  options.node = name.empty() ? key : name;
  options.incarnation = incarnation;
  options.registry_address = address(key);
  options.call_address = "tcp://" + key + ":2";
  for (const std::string& seed : seeds) {
    (names.contains(seed) ? options.seed_names : options.seeds).push_back(address(seed));
  }
  options.max_peers = max_peers;
  options.heartbeat = heartbeat;
  options.lost_after = lost_after;
  options.random_seed = random_();
  VirtualNode fresh;
  fresh.key = key;
  fresh.options = options;
  fresh.alive = true;
  fresh.group = node.group;
  fresh.clock = node.clock;
  fresh.view = View(options.node);
  fresh.life = node.life + 1;
  fresh.looked_at = Time::max();
  node = std::move(fresh);
  node.machine = std::make_unique<Membership>(std::move(options), std::move(services));
  links_[index].clear();
  act(index, node.machine->start(now_ + node.clock));
  return node;
}

void SimulatedNetwork::run(Duration time) {
  const Time end = now_ + time;
  while (!events_.empty() && events_.next() <= end) {
    Event event = events_.take();
    steps_at_once_ = event.when > now_ ? 0 : steps_at_once_ + 1;
    now_ = std::max(now_, event.when);
    if (static_cast<std::size_t>(steps_at_once_) > 10'000 + 20 * nodes_.size() * nodes_.size()) {
      violations.push_back("time stands still");
      return;
    }
    happen(std::move(event));
    if (sent > most_sent) {
      violations.push_back(at_time() + "a storm of messages");
      return;
    }
  }
  now_ = end;
}

void SimulatedNetwork::change(const std::string& key, std::vector<RemoteService> services) {
  const std::uint32_t node = index_.at(key);
  act(node, nodes_[node].machine->local_services_changed(now_ + nodes_[node].clock, std::move(services)));
}

void SimulatedNetwork::crash(const std::string& key) { end_process((*this)[key], true); }

void SimulatedNetwork::switch_off(const std::string& key) {
  VirtualNode& node = place(key);
  end_process(node, false);
  node.is_off = true;
}

void SimulatedNetwork::leave(const std::string& key) {
  const std::uint32_t node = index_.at(key);
  act(node, nodes_[node].machine->leave(now_ + nodes_[node].clock));
  end_process(nodes_[node], true);
}

/// What it does first is either to read what has come, or to look at its clock.
void SimulatedNetwork::wake(const std::string& key) {
  const std::uint32_t index = index_.at(key);
  VirtualNode& node = nodes_[index];
  node.frozen = false;
  if (!node.alive) return;
  if (random_() % 2 == 0) act(index, node.machine->tick(now_ + node.clock));
  for (Event& event : std::exchange(node.waiting, {})) happen(std::move(event));
  plan(index, now_);
}

void SimulatedNetwork::cut(const std::string& from, const std::string& to, Told told) {
  for (std::uint32_t number = 0; number < connections_.size(); ++number) {
    Connection& connection = connections_[number];
    if (!connection.established || nodes_[connection.from].key != from || nodes_[connection.to].key != to) continue;
    if (told != Told::dialled) tell_link_down(number);
    if (told != Told::dialler) tell_caller_gone(number);
  }
}

void SimulatedNetwork::cut_borders() {
  for (std::uint32_t number = 0; number < connections_.size(); ++number) {
    const Connection& connection = connections_[number];
    if (!connection.established || reach(connection.from, connection.to)) continue;
    put(now_, Kind::link_down, connection.from, number);
    put(now_, Kind::caller_gone, connection.to, number);
  }
}

void SimulatedNetwork::lose(const std::string& from, const std::string& to, double part) {
  losses_[{index_of(from), index_of(to)}] = part;
}

void SimulatedNetwork::inject(const std::string& from, const std::string& to, const std::vector<std::uint8_t>& bytes) {
  const auto shared = std::make_shared<const std::vector<std::uint8_t>>(bytes);
  for (std::uint32_t number = 0; number < connections_.size(); ++number) {
    const Connection& connection = connections_[number];
    if (!connection.established || nodes_[connection.from].key != from || nodes_[connection.to].key != to) continue;
    travel(number, Kind::to_caller, {nullptr, shared});
  }
}

CallerId SimulatedNetwork::stranger() {
  const CallerId id{kFirstStranger + strangers_.size()};
  strangers_[id];
  return id;
}

std::vector<wire::Message> SimulatedNetwork::ask(const std::string& key, CallerId stranger,
                                                 const wire::Message& message) {
  strangers_[stranger].clear();
  const std::uint32_t node = index_.at(key);
  act(node, nodes_[node].machine->from_caller(now_ + nodes_[node].clock, stranger, message));
  return strangers_[stranger];
}

void SimulatedNetwork::hang_up(const std::string& key, CallerId stranger) {
  const std::uint32_t node = index_.at(key);
  act(node, nodes_[node].machine->caller_gone(now_ + nodes_[node].clock, stranger));
}

// -- time

void SimulatedNetwork::put(Time when, Kind kind, std::uint32_t node, std::uint32_t connection, Packet packet) {
  events_.put({.when = when, .node = node, .connection = connection, .kind = kind, .packet = std::move(packet)});
}

void SimulatedNetwork::happen(Event event) {
  if (event.kind == Kind::look) return look(event);
  if (event.kind == Kind::resolved) return resolve(event);
  if (event.kind == Kind::establish) return establish(std::move(event));
  arrive(std::move(event));
}

Time SimulatedNetwork::deadline(const VirtualNode& node) const {
  const Time due = node.machine->next_deadline();
  return due == Time::max() ? due : due - node.clock;
}

void SimulatedNetwork::look(const Event& event) {
  VirtualNode& node = nodes_[event.node];
  if (event.when != node.looked_at) return;  // it is looked at earlier, or was
  node.looked_at = Time::max();
  if (!node.alive || node.frozen) return;
  if (deadline(node) <= now_) act(event.node, node.machine->tick(now_ + node.clock));
  plan(event.node, deadline(node));
}

void SimulatedNetwork::plan(std::uint32_t index, Time due) {
  VirtualNode& node = nodes_[index];
  if (due >= node.looked_at) return;
  node.looked_at = std::max(due, now_);
  put(node.looked_at, Kind::look, index, 0);
}

void SimulatedNetwork::take(std::uint32_t node, const Resolve& resolve) {
  ++looked_up;
  if (names_hang) return;
  look_ups_.push_back({resolve.name, nodes_[node].life});
  put(now_ + travel_time(), Kind::resolved, node, static_cast<std::uint32_t>(look_ups_.size() - 1));
}

void SimulatedNetwork::resolve(const Event& event) {
  VirtualNode& node = nodes_[event.node];
  const auto& [name, life] = look_ups_[event.connection];
  if (!node.alive || node.life != life) return;
  if (node.frozen) return node.waiting.push_back(event);
  std::vector<std::string> addresses;
  for (const auto& [named, places] : names) {
    if (address(named) != name) continue;
    for (const std::string& each : places) addresses.push_back(address(each));
  }
  const std::string error = addresses.empty() ? "no such name" : "";
  act(event.node, node.machine->resolved(now_ + node.clock, name, addresses, error));
}

// -- connections

Duration SimulatedNetwork::travel_time() {
  if (weather.most == weather.least) return weather.least;
  const auto span = static_cast<std::uint64_t>((weather.most - weather.least).count());
  const Duration time = weather.least + Duration(static_cast<Duration::rep>(random_() % span));
  return happens(weather.slow) ? time + 10 * weather.most : time;
}

void SimulatedNetwork::take(std::uint32_t node, const Connect& connect) {
  const auto number = static_cast<std::uint32_t>(connections_.size());
  Connection connection;
  connection.from = node;
  connection.from_life = nodes_[node].life;
  connection.link = connect.link;
  connection.from_holds = true;
  connections_.push_back(connection);
  links_[node][static_cast<std::uint64_t>(connect.link)] = number;
  dialled_[number] = connect.address;
  put(now_ + travel_time(), Kind::establish, node, number);
}

/// Nobody answers from beyond a border, or from a machine that is off; a stopped process answers when it goes on.
void SimulatedNetwork::establish(Event event) {
  Connection& connection = connections_[event.connection];
  if (!connection.from_holds || nodes_[connection.from].life != connection.from_life) return;
  const auto refuse = [&] {
    arrive({.node = connection.from, .connection = event.connection, .kind = Kind::link_down});
  };
  const auto place = by_address_.find(dialled_.at(event.connection));
  if (place == by_address_.end()) return refuse();
  connection.to = place->second;
  VirtualNode& to = nodes_[connection.to];
  if (!reach(connection.from, connection.to)) {
    if (borders_refuse) refuse();
    return;
  }
  if (to.is_off) return;
  if (!to.alive) return refuse();
  connection.to_life = to.life;
  if (to.frozen) return to.waiting.push_back(std::move(event));
  connection.established = connection.to_holds = true;
  dialled_.erase(event.connection);
  arrive({.node = connection.from, .connection = event.connection, .kind = Kind::link_up});
}

/// Something comes to an end of a connection.
void SimulatedNetwork::arrive(Event event) {
  VirtualNode& node = nodes_[event.node];
  Connection& connection = connections_[event.connection];
  const bool is_dialler = event.kind != Kind::to_caller && event.kind != Kind::caller_gone;
  const bool holds = is_dialler ? connection.from_holds : connection.to_holds;
  const std::uint32_t life = is_dialler ? connection.from_life : connection.to_life;
  if (!holds || !node.alive || node.life != life) return answer_for_the_dead(event);
  if (node.frozen) return node.waiting.push_back(std::move(event));
  if (event.kind == Kind::caller_gone) connection.to_holds = false;
  if (event.kind == Kind::link_down) {
    connection.from_holds = false;
    links_[event.node].erase(static_cast<std::uint64_t>(connection.link));
  }
  act(event.node, hear(event));
}

Actions SimulatedNetwork::hear(const Event& event) {
  const VirtualNode& node = nodes_[event.node];
  const Connection& connection = connections_[event.connection];
  const Time now = now_ + node.clock;
  switch (event.kind) {
    case Kind::link_up:
      return node.machine->link_up(now, connection.link);
    case Kind::link_down:
      return node.machine->link_down(now, connection.link, connection.established ? "reset" : "connection refused");
    case Kind::caller_gone:
      return node.machine->caller_gone(now, caller_of(event.connection));
    default:
      return hear_packet(event);
  }
}

Actions SimulatedNetwork::hear_packet(const Event& event) {
  Membership& machine = *nodes_[event.node].machine;
  const Connection& connection = connections_[event.connection];
  const Time now = now_ + nodes_[event.node].clock;
  const bool is_caller = event.kind == Kind::to_caller;
  const auto say = [&](const wire::Message& message) {
    return is_caller ? machine.from_caller(now, caller_of(event.connection), message)
                     : machine.from_link(now, connection.link, message);
  };
  if (event.packet.message != nullptr) return say(*event.packet.message);
  try {
    return say(wire::decode(*event.packet.bytes));
  } catch (const wire::BadMessage& bad) {
    return is_caller ? machine.bad_from_caller(now, caller_of(event.connection), bad.what())
                     : machine.bad_from_link(now, connection.link, bad.what());
  }
}

/// A machine that runs tells who sends to a connection that it does not know.
void SimulatedNetwork::answer_for_the_dead(const Event& event) {
  if (nodes_[event.node].is_off) return;
  if (event.kind == Kind::to_caller) tell_link_down(event.connection);
  if (event.kind == Kind::to_link) tell_caller_gone(event.connection);
}

/// After what was said on it.
void SimulatedNetwork::tell_caller_gone(std::uint32_t number) {
  const Connection& connection = connections_[number];
  if (!connection.to_holds || !reach(connection.from, connection.to)) return;
  const Time when = now_ + travel_time();
  put(weather.ordered ? std::max(when, connection.last_to_caller) : when, Kind::caller_gone, connection.to, number);
}

void SimulatedNetwork::tell_link_down(std::uint32_t number) {
  const Connection& connection = connections_[number];
  if (!connection.from_holds || !reach(connection.from, connection.to)) return;
  const Time when = now_ + travel_time();
  put(weather.ordered ? std::max(when, connection.last_to_link) : when, Kind::link_down, connection.from, number);
}

/// `is_told`: its machine ends its connections.
void SimulatedNetwork::end_process(VirtualNode& node, bool is_told) {
  const std::uint32_t index = index_.at(node.key);
  node.alive = node.frozen = false;
  node.waiting.clear();
  for (std::uint32_t number = 0; number < connections_.size(); ++number) {
    Connection& connection = connections_[number];
    if (connection.from == index && connection.from_life == node.life && connection.from_holds) {
      connection.from_holds = false;
      if (is_told) tell_caller_gone(number);
    } else if (connection.to == index && connection.to_life == node.life) {
      connection.to_holds = false;
      if (is_told) tell_link_down(number);
    }
  }
}

// -- what a machine wants done

void SimulatedNetwork::act(std::uint32_t node, const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([&](const auto& one) { take(node, one); }, action);
  }
  if (nodes_[node].alive) plan(node, grain > Duration::zero() ? now_ + grain : deadline(nodes_[node]));
}

void SimulatedNetwork::take(std::uint32_t node, const Close& close) {
  const auto link = links_[node].extract(static_cast<std::uint64_t>(close.link));
  if (!link) return;
  connections_[link.mapped()].from_holds = false;
  tell_caller_gone(link.mapped());
}

void SimulatedNetwork::take(std::uint32_t node, const SendToLink& send) {
  const auto link = links_[node].find(static_cast<std::uint64_t>(send.link));
  if (link != links_[node].end()) transmit(link->second, Kind::to_caller, send.message);
}

void SimulatedNetwork::take(std::uint32_t, const SendToCaller& send) {
  const auto id = static_cast<std::uint64_t>(send.caller);
  if (id >= kFirstStranger) {
    strangers_[send.caller].push_back(*send.message);
  } else if (connections_[id - 1].to_holds) {
    transmit(static_cast<std::uint32_t>(id - 1), Kind::to_link, send.message);
  }
}

void SimulatedNetwork::transmit(std::uint32_t number, Kind kind, const std::shared_ptr<const wire::Message>& message) {
  const Connection& connection = connections_[number];
  if (!connection.established) return;
  ++sent;
  if (on_send) on_send(message);
  const bool to_caller = kind == Kind::to_caller;
  const std::uint32_t from = to_caller ? connection.from : connection.to;
  const std::uint32_t to = to_caller ? connection.to : connection.from;
  if (!reach(from, to) || is_lost(from, to, *message)) return;
  const Packet packet = pack(message);
  travel(number, kind, packet);
  const bool is_doubled = duplicate && duplicate(nodes_[from].key, nodes_[to].key, *message);
  if (is_doubled || happens(weather.duplication)) travel(number, kind, packet);
}

bool SimulatedNetwork::is_lost(std::uint32_t from, std::uint32_t to, const wire::Message& message) {
  if (drop && drop(nodes_[from].key, nodes_[to].key, message)) return true;
  if (happens(weather.loss)) return true;
  if (losses_.empty()) return false;
  const auto part = losses_.find({from, to});
  return part != losses_.end() && happens(part->second);
}

Packet SimulatedNetwork::pack(const std::shared_ptr<const wire::Message>& message) {
  if (!encodes) return {message, nullptr};
  if (packed_ != message) {
    packed_bytes_ = std::make_shared<const std::vector<std::uint8_t>>(wire::encode(*message));
    packed_ = message;
  }
  return {nullptr, packed_bytes_};
}

void SimulatedNetwork::travel(std::uint32_t number, Kind kind, Packet packet) {
  Connection& connection = connections_[number];
  const bool to_caller = kind == Kind::to_caller;
  Time& last = to_caller ? connection.last_to_caller : connection.last_to_link;
  const Time arrival = now_ + travel_time();
  last = std::max(last, arrival);
  put(weather.ordered ? last : arrival, kind, to_caller ? connection.to : connection.from, number, std::move(packet));
}

// -- what a node is told

void SimulatedNetwork::check(std::uint32_t node, const std::string& wrong) {
  if (!wrong.empty()) violations.push_back(at_time() + "at " + nodes_[node].key + ": " + wrong);
}

std::string SimulatedNetwork::at_time() const {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now_ - Time{} - 1h).count();
  return std::to_string(ms) + " ms, ";
}

void SimulatedNetwork::tell(std::uint32_t node, const std::string& what) {
  if (on_event) on_event(at_time() + nodes_[node].key + ": " + what);
}

void SimulatedNetwork::take(std::uint32_t node, const NodeJoined& joined) {
  if (!views) return;
  check(node, nodes_[node].view.joined(joined.record));
  if (on_event) tell(node, View::start_of(joined.record) + " joined");
}

void SimulatedNetwork::take(std::uint32_t node, const RecordChanged& changed) {
  if (!views) return;
  check(node, nodes_[node].view.changed(changed.record));
  if (on_event) tell(node, View::start_of(changed.record) + " changed");
}

void SimulatedNetwork::take(std::uint32_t node, const NodeSuspected& suspected) {
  if (!views) return;
  if (!nodes_[node].view.contains(suspected.name)) check(node, suspected.name + " is suspect, but had not joined");
  if (!nodes_[node].suspected.insert(suspected.name).second) check(node, suspected.name + " is suspect twice");
}

void SimulatedNetwork::take(std::uint32_t node, const NodeTrusted& trusted) {
  if (!views) return;
  if (nodes_[node].suspected.erase(trusted.name) == 0) check(node, trusted.name + " is trusted, but was not suspect");
}

void SimulatedNetwork::take(std::uint32_t node, const NodeLeft& left) {
  if (!views) return;
  nodes_[node].suspected.erase(left.name);
  check(node, nodes_[node].view.left(left));
  nodes_[node].left.push_back(left.name + ": " + left.reason);
  if (on_event) tell(node, nodes_[node].left.back());
}

/// Its process ends.
void SimulatedNetwork::take(std::uint32_t node, const RefusedHere& refused) {
  nodes_[node].refused = refused.text;
  end_process(nodes_[node], true);
  if (on_event) tell(node, "it is refused: " + refused.text);
}

void SimulatedNetwork::take(std::uint32_t node, const IncarnationRaised& raised) {
  nodes_[node].raised.push_back(raised.incarnation);
  if (on_event) tell(node, "its incarnation is now " + std::to_string(raised.incarnation));
}

void SimulatedNetwork::take(std::uint32_t node, const Warn& warning) {
  nodes_[node].warnings.push_back(warning.text);
  if (on_event) tell(node, "warns: " + warning.text);
}

}  // namespace busbar::registry::testing
