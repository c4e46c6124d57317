// Who may come in, and whether this node may (contract, C-G7 and C-G9).
#include "membership/membership.hpp"

#include <busbar/registry/net/capacity.hpp>

#include "record/record_check.hpp"

#include <algorithm>

namespace busbar::registry {
namespace {

constexpr std::size_t kMostNewcomers = 8;  // of one name at a time

}  // namespace

void Membership::take_hello(CallerId caller, const wire::Hello& hello, std::string_view proven) {
  const NodeRecord& record = hello.record;
  if (!proven.empty() && record.name != proven) {
    const std::string text = "it calls itself " + record.name + ", and its key is that of " + std::string(proven) +
                             ": both must be the same";
    warn("refused a node at " + record.registry_address + ": " + text);
    return refuse({caller, record}, {.code = wire::kRefusedKey, .text = text});
  }
  if (hello.cluster != options_.cluster) {
    const std::string text = "it belongs to cluster \"" + hello.cluster + "\", node " + record_.name +
                             " to cluster \"" + options_.cluster + "\"";
    warn("refused node " + record.name + " at " + record.registry_address + ": " + text);
    return refuse({caller, record}, {.code = wire::kRefusedCluster, .text = text});
  }
  const auto known = callers_.find(caller);
  if (known != callers_.end() && known->second.name != record.name) {
    ++ignored_;
    return warn("passed over a hello of node " + record.name + " on a connection of node " + known->second.name);
  }
  if (record.name != record_.name) return introduce({caller, record, hello.established});
  if (record.registry_address == record_.registry_address)
    return send(caller, wire::Welcome{.record = record_, .peers = {}});
  refuse_name({caller, record, hello.established}, record_.registry_address);
  // So that this one is told, too: if it has not been a member itself, it is the one that is too late.
  if (hello.established) dialer_.add(record.registry_address, record.name, now_);
}

void Membership::take_welcome(Link& link, const wire::Welcome& welcome) {
  const NodeRecord& record = welcome.record;
  if (!link.proven.empty() && record.name != link.proven) {
    warn("could not join " + link.address + ": it calls itself " + record.name + ", and its key is that of " +
         link.proven);
    return dialer_.drop(link, now_, random_, actions_, true);
  }
  if (record.name == record_.name) {
    if (record.registry_address == record_.registry_address)  // one of the seeds is this node
      return dialer_.pass_over(link, actions_);
    warn("node at " + link.address + " has this node's name, and has let it in: it is passed over");
    return dialer_.drop(link, now_, random_, actions_, true);
  }
  if (link.state == Link::State::greeted && link.node != record.name) {
    ++ignored_;
    return;
  }
  introduce({link.id, record, welcome.established});
  learn_peers(welcome.peers);
}

void Membership::take_refused(Link& link, const wire::Refused& refused) {
  if (refused.code == wire::kRefusedStaleIncarnation && refused.incarnation < kMaxIncarnation) {
    if (refused.incarnation >= record_.incarnation) raise_incarnation(refused.incarnation);
    return;  // else it answers a hello from before this node had a higher one
  }
  const std::string text = "could not join through " + link.address + ": " + refused.text;
  if (refused.code == wire::kRefusedNameHeld && !has_been_member_) return be_refused(text);
  warn(text);
  const std::string node = link.node;
  dialer_.drop(link, now_, random_, actions_, true);
  if (!node.empty()) remove(node, "it refused this node: " + refused.text, Leaving::lost);
  // So that the other one is told, too: it hears from this one that its name is held twice (C-G8).
  if (!refused.held_at.empty() && refused.held_at != record_.registry_address)
    dialer_.add(refused.held_at, record_.name, now_);
}

/// Decides by what is known of that name: nothing, an earlier start, or one that may be alive.
void Membership::introduce(const Newcomer& newcomer) {
  const NodeRecord& record = newcomer.record;
  const Member* member = find_member(record.name);
  if (member == nullptr) {
    const auto* departed = departed_.find(record.name);
    const bool is_stale = departed != nullptr && (record.incarnation < departed->incarnation ||
                                                  (record.incarnation == departed->incarnation && departed->is_over));
    if (is_stale) return refuse_stale(newcomer, departed->incarnation);
    return is_full() ? refuse_too_many(newcomer) : admit(newcomer);
  }
  const NodeRecord& known = member->record;
  if (record.registry_address != known.registry_address) return challenge(*member, newcomer);
  if (record.incarnation < known.incarnation) return refuse_stale(newcomer, known.incarnation);
  if (record.incarnation > known.incarnation) {  // who held that address is gone, as another one has it
    Link* link = dialer_.to_node(record.name);
    if (link != nullptr && newcomer.source != Source(link->id)) dialer_.forget(*link, now_, random_, actions_);
    remove(record.name, "replaced by a later start of it", Leaving::over);
    return introduce(newcomer);  // another one may have waited for that name, and have it now
  }
  admit(newcomer);
}

void Membership::admit(const Newcomer& newcomer) {
  if (const auto* caller = std::get_if<CallerId>(&newcomer.source)) {
    admit_caller(*caller, newcomer.record);
  } else {
    admit_link(std::get<LinkId>(newcomer.source), newcomer.record);
  }
}

void Membership::admit_caller(CallerId caller, const NodeRecord& record) {
  const std::size_t most = net::callers_for(options_.max_peers);
  if (callers_.size() >= most && !callers_.contains(caller)) {
    return warn("passed over node " + record.name + ": the nodes have more than " + std::to_string(most) +
                " connections to this one");
  }
  callers_[caller] = {record.name, record.incarnation, record.registry_address, now_};
  const bool is_news = dialer_.at_address(record.registry_address) == nullptr;
  const bool must_answer = stays_deaf(callers_[caller]);
  const bool is_new = !must_answer && put_record(record);
  send(caller, wire::Welcome{.record = record_, .peers = known_peers(record.name), .established = has_been_member_});
  if (must_answer) return dialer_.hurry(record.registry_address, record.name, now_);
  if (!is_new) return;
  if (dialer_.to_node(record.name) == nullptr) dialer_.hurry(record.registry_address, record.name, now_);
  if (is_news) tell_of(record);
}

void Membership::admit_link(LinkId id, const NodeRecord& record) {
  Link* link = dialer_.find(id);
  // While it was asked whether another one is alive, it may have ended, or been welcomed there by one of another name.
  if (link == nullptr || (link->state == Link::State::greeted && link->node != record.name)) return;
  has_been_member_ = true;
  if (!welcomed_) welcomed_ = now_;
  put_record(record);
  const bool was_greeted = link->state == Link::State::greeted;
  if (!dialer_.greeted(*link, record.name, actions_) || was_greeted) return;
  actions_.emplace_back(SendToLink{id, heartbeat()});
  const auto asked = challenges_.find(record.name);
  if (asked == challenges_.end()) return;
  // It may have been welcomed before it ended, and before the other one came: now it can be asked.
  asked->second.deadline = now_ + kPongWithin;
  send(id, wire::Ping{asked->second.nonce});
}

void Membership::refuse(const Newcomer& newcomer, wire::Refused why) {
  if (const auto* caller = std::get_if<CallerId>(&newcomer.source)) {
    callers_.erase(*caller);
    send(*caller, std::move(why));
  } else if (Link* link = dialer_.find(std::get<LinkId>(newcomer.source))) {
    dialer_.drop(*link, now_, random_, actions_, why.code != wire::kRefusedStaleIncarnation);
  }
}

void Membership::refuse_stale(const Newcomer& newcomer, std::uint64_t known) {
  refuse(newcomer, {.code = wire::kRefusedStaleIncarnation,
                    .text = "incarnation " + std::to_string(newcomer.record.incarnation) + " of node " +
                            newcomer.record.name + " is not later than " + std::to_string(known) + ", which is known",
                    .incarnation = known});
}

void Membership::refuse_name(const Newcomer& newcomer, const std::string& held_at) {
  const std::string& name = newcomer.record.name;
  warn("refused a second node named " + name + ", at " + newcomer.record.registry_address + ": the one at " + held_at +
       " is alive");
  refuse(newcomer, name_held(name, held_at));
}

wire::Refused Membership::name_held(const std::string& name, const std::string& held_at) const {
  return {.code = wire::kRefusedNameHeld,
          .text = "the name \"" + name + "\" is held by another live node, at " + held_at +
                  "; give this one another name, or stop that one",
          .held_at = held_at};
}

/// It tries again at its slowest pace, and is let in when there is room.
void Membership::refuse_too_many(const Newcomer& newcomer) {
  const std::string known = std::to_string(members_.size());
  warn("refused node " + newcomer.record.name + " at " + newcomer.record.registry_address + ": this node knows " +
       known + " others already, and registry.max_peers is " + std::to_string(options_.max_peers) +
       "; to let more in, raise it on all nodes");
  refuse(newcomer, {.code = wire::kRefusedFull,
                    .text = "node " + record_.name + " knows " + known +
                            " others already, which is the most that its registry.max_peers (" +
                            std::to_string(options_.max_peers) +
                            ") allows; it is asked again, and to let more in, raise that on all nodes"});
}

/// A member is asked whether it is alive, where its link gives a chance that it is.
void Membership::challenge(const Member& holder, const Newcomer& newcomer) {
  const NodeRecord& record = holder.record;
  if (newcomer.record.incarnation == record.incarnation)
    warn("two nodes are named " + record.name + " and have the same incarnation, at " + record.registry_address +
         " and at " + newcomer.record.registry_address);
  Link* link = dialer_.to_node(record.name);
  const bool is_greeted = link != nullptr;
  if (link == nullptr) link = dialer_.at_address(record.registry_address);
  const bool may_live = link != nullptr && link->id != LinkId{};
  auto [at, is_new] = challenges_.try_emplace(record.name);
  auto& newcomers = at->second.newcomers;
  std::erase_if(newcomers, [&](const Newcomer& other) { return other.source == newcomer.source; });
  if (newcomers.size() < kMostNewcomers) newcomers.push_back(newcomer);
  if (!may_live) return holder_is_gone(std::string(record.name));
  if (!is_new) return;
  at->second.nonce = random_();
  at->second.deadline = now_ + kPongWithin;
  if (is_greeted) send(link->id, wire::Ping{at->second.nonce});  // else when it is welcomed there
}

void Membership::take_pong(const Link& link, const wire::Pong& pong) {
  const auto asked = challenges_.find(link.node);
  const Member* member = find_member(link.node);
  if (asked == challenges_.end() || member == nullptr || asked->second.nonce != pong.nonce) return;
  const std::string name = link.node;
  if (pong.name == name && pong.incarnation == member->record.incarnation) {
    holder_lives(name);
  } else {
    holder_is_gone(name);
  }
}

/// Who has never been a member comes too late (C-G7). Two that have been, in parts of the cluster that could not see
/// each other, both live on; all agree on the later start of them (C-G8).
void Membership::holder_lives(const std::string& name) {
  const auto asked = challenges_.extract(name);
  if (!asked) return;
  for (const Newcomer& newcomer : asked.mapped().newcomers) {
    const Member* member = find_member(name);
    if (member == nullptr) {
      introduce(newcomer);
    } else if (newcomer.established && outranks(newcomer.record, member->record)) {
      take_in_place_of_holder(newcomer);
    } else if (newcomer.record.registry_address != member->record.registry_address) {
      refuse_name(newcomer, member->record.registry_address);
    } else {
      introduce(newcomer);  // the same by another connection
    }
  }
}

void Membership::take_in_place_of_holder(const Newcomer& newcomer) {
  const std::string name = newcomer.record.name;
  const NodeRecord holder = find_member(name)->record;
  const std::string& routed_to = newcomer.record.registry_address;
  warn("two live nodes are named " + name + ", at " + holder.registry_address + " and at " + routed_to +
       ": the one at " + routed_to + " is routed to, as it was started later; give one of them another name");
  for (auto at = callers_.begin(); at != callers_.end();) {
    const auto [id, caller] = *at++;
    if (!caller.is_of(holder)) continue;
    callers_.erase(id);
    send(id, name_held(name, routed_to));
  }
  if (Link* link = dialer_.to_node(name)) dialer_.drop(*link, now_, random_, actions_, true);
  remove(name, "another live node of its name, at " + routed_to + ", was started later", Leaving::over);
  introduce(newcomer);
}

void Membership::holder_is_gone(const std::string& name) {
  if (Link* link = dialer_.to_node(name)) dialer_.forget(*link, now_, random_, actions_);
  remove(name, "replaced by a later start of it", Leaving::over);
}

/// The others know a later start of this node than its clock does (C-G9).
void Membership::raise_incarnation(std::uint64_t known) {
  record_.incarnation = known + 1;
  record_.version = 1;
  for (auto& [name, member] : members_) member.acknowledged = 0;
  actions_.emplace_back(IncarnationRaised{record_.incarnation});
  dialer_.for_each_up([&](Link& link) { say_hello(link); });
}

void Membership::be_refused(const std::string& text) {
  while (!members_.empty()) remove(members_.begin()->first, "this node was refused", Leaving::over);
  dialer_.close_all(actions_);
  actions_.emplace_back(RefusedHere{text});
  phase_ = Phase::over;
}

}  // namespace busbar::registry
