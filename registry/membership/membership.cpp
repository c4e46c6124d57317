#include "membership/membership.hpp"

#include <busbar/registry/goodbye.hpp>
#include <busbar/registry/net/capacity.hpp>

#include "record/record_check.hpp"

#include <algorithm>
#include <utility>

namespace busbar::registry {
namespace {

constexpr std::chrono::seconds kExchangeEvery{10};
constexpr std::size_t kMostWarnings = 1'000;

std::uint64_t microseconds_of(Time now) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count());
}

}  // namespace

Membership::Membership(MembershipOptions options, std::vector<RemoteService> services)
    : options_(std::move(options)),
      suspect_after_((options_.heartbeat + options_.lost_after) / 2),
      random_(options_.random_seed),
      dialer_(options_.lost_after, net::addresses_for(options_.max_peers)),
      names_(dialer_, options_.lost_after) {
  record_.name = options_.node;
  record_.incarnation = options_.incarnation;
  record_.version = 1;
  record_.call_address = options_.call_address;
  record_.registry_address = options_.registry_address;
  set_services(std::move(services));
}

/// Others would not read a record with more.
void Membership::set_services(std::vector<RemoteService> services) {
  if (services.size() > kMaxServices) {
    warn("this node offers " + std::to_string(services.size()) + " public services; the cluster is told of " +
         std::to_string(kMaxServices));
    services.resize(kMaxServices);
  }
  record_.services = std::move(services);
}

/// What each input has in common. A node that itself stood still (stopped, or starved of CPU) has not listened, so it
/// blames nobody for silence in that time: what they said may still be waiting to be read.
template <class Body>
Actions Membership::input(Time now, Body body) {
  if (phase_ != Phase::running) return {};
  now = std::max(now, now_);
  if (now - now_ > 2 * options_.heartbeat) {
    dialer_.forgive_silence(now);
    for (auto& [name, member] : members_) member.heard = now;
    for (auto& [id, caller] : callers_) caller.heard = now;
    for (auto& [name, asked] : challenges_) asked.deadline = now + kPongWithin;
  }
  now_ = now;
  body();
  if (phase_ == Phase::running) names_.look(now_, actions_);
  if (!introduced_) introduced_ = is_introduced();
  return std::exchange(actions_, {});
}

Actions Membership::start(Time now) {
  if (phase_ != Phase::idle) return {};
  phase_ = Phase::running;
  now_ = now;
  next_heartbeat_ = now + options_.heartbeat;
  next_exchange_ = now + kExchangeEvery;
  set_seeds(options_.seeds, options_.seed_names);
  return tick(now);
}

void Membership::set_seeds(const std::vector<std::string>& seeds, const std::vector<std::string>& names) {
  const auto is_usable = [this](const std::string& seed) {
    const bool is_fine = is_address(seed);
    if (!is_fine) warn("could not join through seed \"" + seed + "\": expected an address such as tcp://host:port");
    return is_fine && seed != record_.registry_address;
  };
  const auto is_in = [](const std::vector<std::string>& list, const std::string& seed) {
    return std::find(list.begin(), list.end(), seed) != list.end();
  };
  for (const std::string& seed : std::exchange(seed_names_, names)) {
    if (!is_in(names, seed)) names_.remove(seed);
  }
  for (const std::string& seed : names) {
    if (is_usable(seed)) names_.add(seed, now_);
  }
  for (const std::string& seed : std::exchange(seeds_, seeds)) {
    if (is_in(seeds, seed)) continue;
    dialer_.end_seed(seed);
    if (names_.stands_for(seed)) dialer_.add_named_seed(seed, now_);
  }
  for (const std::string& seed : seeds) {
    if (is_usable(seed)) dialer_.add_seed(seed, now_);
  }
}

Actions Membership::seeds_changed(Time now, const std::vector<std::string>& seeds,
                                  const std::vector<std::string>& names) {
  return input(now, [&] { set_seeds(seeds, names); });
}

bool Membership::is_introduced() const {
  return (dialer_.all_tried() && names_.tried()) || (welcomed_ && now_ >= *welcomed_ + kOthersWithin);
}

Actions Membership::tick(Time now) {
  return input(now, [&] {
    watch_challenges();
    if (now_ >= next_watch_) watch_members();
    dialer_.tick(now_, random_, actions_);
    if (now_ >= next_heartbeat_) {
      next_heartbeat_ = now_ + options_.heartbeat;
      send_heartbeats();
      dial_members();
      forget_old();
    }
    if (now_ >= next_exchange_) {
      next_exchange_ = now_ + kExchangeEvery;
      exchange_peers();
    }
  });
}

Time Membership::next_deadline() const {
  if (phase_ != Phase::running) return Time::max();
  Time next = std::min({next_heartbeat_, next_exchange_, next_watch_, dialer_.next_deadline(), names_.next_deadline()});
  if (!introduced_ && welcomed_) next = std::min(next, *welcomed_ + kOthersWithin);
  for (const auto& [name, challenge] : challenges_) next = std::min(next, challenge.deadline);
  return next;
}

Actions Membership::link_up(Time now, LinkId id, std::string_view proven) {
  return input(now, [&] {
    Link* link = dialer_.find(id);
    if (link == nullptr || link->state != Link::State::connecting) return;
    // Who has room for nobody else does not ask to be let in.
    if (is_full() && !is_of_member(link->address)) return dialer_.drop(*link, now_, random_, actions_, true);
    link->state = Link::State::up;
    link->proven = proven;
    link->heard = now_;
    say_hello(*link);
  });
}

Actions Membership::link_renewed(Time now, LinkId id, std::string_view proven) {
  return input(now, [&] {
    Link* link = dialer_.find(id);
    if (link == nullptr || !link->is_up()) return;
    link->proven = proven;
    link->heard = now_;
    say_hello(*link);
  });
}

Actions Membership::resolved(Time now, const std::string& name, const std::vector<std::string>& addresses,
                             std::string_view error) {
  return input(now, [&] {
    names_.resolved(name, addresses, error, now_, random_, actions_);
    watch_members();  // before their links are let go
    dialer_.tick(now_, random_, actions_);
  });
}

Actions Membership::link_down(Time now, LinkId id, std::string_view reason) {
  return input(now, [&] {
    Link* link = dialer_.find(id);
    if (link == nullptr) return;
    const std::string node = link->node;
    const bool was_silent = now_ >= link->heard + suspect_after_;
    dialer_.lost(*link, reason, now_, random_, actions_);
    if (node.empty()) return;
    const Member* member = find_member(node);
    const bool is_heard = member != nullptr && now_ < member->heard + suspect_after_;
    remove(node, "its connection ended: " + std::string(reason),
           was_silent && is_heard ? Leaving::deaf : Leaving::lost);
  });
}

Actions Membership::from_link(Time now, LinkId id, const wire::Message& message) {
  return input(now, [&] {
    Link* link = dialer_.find(id);
    if (link == nullptr) return;
    link->heard = now_;
    if (Member* member = find_member(link->node)) heard_from(*member, true);
    take_on_link(*link, message);
  });
}

Actions Membership::from_caller(Time now, CallerId caller, const wire::Message& message, std::string_view proven) {
  return input(now, [&] { take_from_caller(caller, message, proven); });
}

Actions Membership::bad_from_link(Time now, LinkId id, std::string_view what) {
  return input(now, [&] {
    Link* link = dialer_.find(id);
    if (link == nullptr) return;
    ++ignored_;
    warn("a broken message from " + link->address + ", which is dialled less often now: " + std::string(what));
    const std::string node = link->node;
    dialer_.drop(*link, now_, random_, actions_, true);
    if (!node.empty()) remove(node, "it sent a broken message", Leaving::lost);
  });
}

Actions Membership::bad_from_caller(Time now, CallerId caller, std::string_view what) {
  return input(now, [&] {
    ++ignored_;
    const auto known = callers_.find(caller);
    const std::string who = known == callers_.end() ? "somebody who has not said hello" : known->second.name;
    warn("a broken message from " + who + ": " + std::string(what));
  });
}

Actions Membership::caller_gone(Time now, CallerId caller) {
  return input(now, [&] { end_caller(caller); });
}

Actions Membership::local_services_changed(Time now, std::vector<RemoteService> services) {
  if (phase_ == Phase::idle) set_services(std::move(services));
  return input(now, [&] {
    if (services == record_.services) return;
    set_services(std::move(services));
    ++record_.version;
    announce();
  });
}

Actions Membership::leave(Time now) {
  return input(now, [&] {
    const auto goodbye = std::make_shared<const wire::Message>(wire::Goodbye{record_.name, record_.incarnation});
    dialer_.for_each_up([&](Link& link) { actions_.emplace_back(SendToLink{link.id, goodbye}); });
    // On both connections of a member: of those either may end first, and on each it must come before its end.
    for (const auto& [id, caller] : callers_) actions_.emplace_back(SendToCaller{id, goodbye});
    phase_ = Phase::over;
  });
}

void Membership::take_on_link(Link& link, const wire::Message& message) {
  if (const auto* welcome = std::get_if<wire::Welcome>(&message)) return take_welcome(link, *welcome);
  if (const auto* refused = std::get_if<wire::Refused>(&message)) return take_refused(link, *refused);
  if (const auto* other = std::get_if<wire::OtherMajor>(&message)) {
    warn("could not join " + link.address + ": it speaks version " + std::to_string(other->major) +
         " of the registry's protocol, expected " + std::to_string(wire::kMajor));
    return dialer_.drop(link, now_, random_, actions_, true);
  }
  if (std::holds_alternative<wire::Unknown>(message)) return;
  if (link.state != Link::State::greeted) {
    ++ignored_;
  } else if (const auto* ack = std::get_if<wire::HeartbeatAck>(&message)) {
    take_ack(link, *ack);
  } else if (const auto* pong = std::get_if<wire::Pong>(&message)) {
    take_pong(link, *pong);
  } else if (const auto* goodbye = std::get_if<wire::Goodbye>(&message); goodbye && goodbye->name == link.node) {
    take_goodbye(goodbye->name, goodbye->incarnation);
  } else {
    ++ignored_;
  }
}

void Membership::take_from_caller(CallerId id, const wire::Message& message, std::string_view proven) {
  if (const auto* hello = std::get_if<wire::Hello>(&message)) return take_hello(id, *hello, proven);
  if (const auto* other = std::get_if<wire::OtherMajor>(&message); other && other->type == "hello") {
    const std::string text = "it speaks version " + std::to_string(other->major) +
                             " of the registry's protocol, node " + record_.name + " speaks version " +
                             std::to_string(wire::kMajor);
    warn("refused a node: " + text);
    return send(id, wire::Refused{.code = wire::kRefusedVersion, .text = text});
  }
  const auto caller = callers_.find(id);
  if (caller == callers_.end()) {
    ++ignored_;
    return;
  }
  caller->second.heard = now_;
  Member* member = find_member(caller->second.name);
  if (member != nullptr && caller->second.is_of(member->record)) heard_from(*member, false);
  take_from_known(id, caller->second, message);
}

void Membership::take_from_known(CallerId id, Caller& caller, const wire::Message& message) {
  if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
    take_heartbeat(id, caller, *heartbeat);
  } else if (const auto* announced = std::get_if<wire::Announce>(&message)) {
    take_announce(id, caller, announced->record);
  } else if (const auto* peers = std::get_if<wire::Peers>(&message)) {
    learn_peers(peers->peers);
  } else if (const auto* ping = std::get_if<wire::Ping>(&message)) {
    send(id, wire::Pong{ping->nonce, record_.name, record_.incarnation});
  } else if (const auto* goodbye = std::get_if<wire::Goodbye>(&message);
             goodbye && goodbye->name == caller.name && goodbye->incarnation == caller.incarnation) {
    callers_.erase(id);
    take_goodbye(goodbye->name, goodbye->incarnation);
  } else if (!std::holds_alternative<wire::Unknown>(message)) {
    ++ignored_;
  }
}

void Membership::take_announce(CallerId id, const Caller& caller, const NodeRecord& record) {
  if (record.name != caller.name || record.incarnation != caller.incarnation) {
    ++ignored_;
    return;
  }
  const Member* member = find_member(record.name);
  if (member != nullptr && member->record.incarnation == record.incarnation &&
      member->record.registry_address == record.registry_address) {
    put_record(record);
  } else {
    introduce({id, record, true});  // it was lost, and is back
  }
}

/// Whoever is behind says so, and the owner announces its record again (C-G3).
void Membership::take_heartbeat(CallerId id, const Caller& caller, const wire::Heartbeat& heartbeat) {
  if (heartbeat.name != caller.name || heartbeat.incarnation != caller.incarnation) {
    ++ignored_;
    return;
  }
  NodeRecord sender;  // as far as it is known
  sender.name = caller.name;
  sender.incarnation = caller.incarnation;
  sender.registry_address = caller.registry_address;
  const Member* member = find_member(caller.name);
  if (member != nullptr && member->record.registry_address != caller.registry_address) {
    return refuse_name({id, std::move(sender)}, member->record.registry_address);
  }
  const auto* departed = departed_.find(caller.name);
  const std::uint64_t known = member != nullptr     ? member->record.incarnation
                              : departed != nullptr ? departed->incarnation + (departed->is_over ? 1 : 0)
                                                    : 0;
  if (known > caller.incarnation) {
    return refuse_stale({id, std::move(sender)}, member != nullptr ? known : departed->incarnation);
  }
  const bool has_it = member != nullptr && member->record.incarnation == caller.incarnation;
  const std::uint64_t version = has_it ? member->record.version : 0;
  const bool must_answer = stays_deaf(caller);
  send(id, wire::HeartbeatAck{.sent_us = heartbeat.sent_us,
                              .want_record = version < heartbeat.version && !must_answer,
                              .version = version,
                              .own_version = record_.version});
}

void Membership::take_ack(const Link& link, const wire::HeartbeatAck& ack) {
  const std::uint64_t now_us = microseconds_of(now_);
  Member* member = find_member(link.node);
  if (member != nullptr && ack.sent_us <= now_us) {
    member->round_trip = std::chrono::microseconds(now_us - ack.sent_us);
  }
  if (member != nullptr) member->acknowledged = ack.version;
  if (ack.want_record) send(link.id, wire::Announce{record_});
  // It announces on its own connections. Where it cannot have any to this node, its welcome tells its record.
  if (member != nullptr && ack.own_version > member->record.version && !has_dialled(member->record)) say_hello(link);
}

void Membership::take_goodbye(std::string_view name, std::uint64_t incarnation) {
  const Member* member = find_member(name);
  if (member == nullptr || member->record.incarnation != incarnation) return;
  const std::string address = member->record.registry_address;
  if (Link* link = dialer_.to_node(name)) dialer_.forget(*link, now_, random_, actions_);
  if (Link* link = dialer_.at_address(address)) dialer_.forget(*link, now_, random_, actions_);
  remove(std::string(name), std::string(kSaidGoodbye), Leaving::over);
}

/// Dials those that are news.
void Membership::learn_peers(const std::vector<wire::PeerAddress>& peers) {
  for (const wire::PeerAddress& peer : peers) {
    if (peer.name == record_.name || peer.registry_address == record_.registry_address) continue;
    const Member* member = find_member(peer.name);
    if (member != nullptr && !outranks(peer, member->record)) continue;
    const auto* departed = departed_.find(peer.name);
    if (departed != nullptr && departed->is_over && departed->incarnation == peer.incarnation) continue;
    if (member == nullptr && is_full()) continue;
    dialer_.add(peer.registry_address, peer.name, now_);
  }
}

/// A heartbeat comes behind it, whose answer tells at once whether the record has arrived.
void Membership::announce() {
  const auto message = std::make_shared<const wire::Message>(wire::Announce{record_});
  const auto asks = heartbeat();
  dialer_.for_each_up([&](Link& link) {
    actions_.emplace_back(SendToLink{link.id, message});
    if (link.state == Link::State::greeted) actions_.emplace_back(SendToLink{link.id, asks});
  });
}

std::shared_ptr<const wire::Message> Membership::heartbeat() const {
  return std::make_shared<const wire::Message>(
      wire::Heartbeat{record_.name, record_.incarnation, record_.version, microseconds_of(now_)});
}

void Membership::say_hello(const Link& link) {
  send(link.id, wire::Hello{.cluster = options_.cluster, .record = record_, .established = has_been_member_});
}

void Membership::send(LinkId link, wire::Message message) {
  actions_.emplace_back(SendToLink{link, std::make_shared<const wire::Message>(std::move(message))});
}

void Membership::send(CallerId caller, wire::Message message) {
  actions_.emplace_back(SendToCaller{caller, std::make_shared<const wire::Message>(std::move(message))});
}

void Membership::warn(const std::string& text) {
  if (warned_.size() >= kMostWarnings || !warned_.try_emplace(text, now_).second) return;
  actions_.emplace_back(Warn{text});
}

void Membership::send_heartbeats() {
  const auto message = heartbeat();
  dialer_.for_each_up([&](Link& link) {
    if (link.state == Link::State::greeted) {
      actions_.emplace_back(SendToLink{link.id, message});
    } else {
      say_hello(link);  // it, or its answer, may have been lost
    }
  });
}

}  // namespace busbar::registry
