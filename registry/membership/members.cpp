// Who is in, and what time does to them.
#include "membership/membership.hpp"

#include <algorithm>

namespace busbar::registry {
namespace {

constexpr std::chrono::minutes kCallerRemembered{1};
constexpr std::chrono::minutes kWarnedAgainAfter{1};

}  // namespace

/// True: it was not a member before.
bool Membership::put_record(const NodeRecord& record) {
  auto [at, is_new] = members_.try_emplace(record.name);
  Member& member = at->second;
  member.heard = now_;
  next_watch_ = std::min(next_watch_, now_ + suspect_after_);
  if (is_new) {
    member.record = record;
    member.since = now_;
    member.version_since = now_;
    const auto* departed = departed_.find(record.name);
    if (departed != nullptr && departed->registry_address != record.registry_address) {
      Link* old = dialer_.at_address(departed->registry_address);
      if (old != nullptr && old->state == Link::State::waiting) dialer_.forget(*old, now_, random_, actions_);
    }
    departed_.erase(record.name);
    actions_.emplace_back(NodeJoined{record});
  } else if (record.is_newer_than(member.record)) {
    member.record = record;
    member.version_since = now_;
    actions_.emplace_back(RecordChanged{record});
  }
  return is_new;
}

bool Membership::is_of_member(std::string_view registry_address) const {
  return std::any_of(members_.begin(), members_.end(),
                     [&](const auto& entry) { return entry.second.record.registry_address == registry_address; });
}

/// One that may come back is dialled again.
void Membership::remove(std::string name, std::string_view reason, Leaving leaving) {
  if (auto member = members_.extract(name)) {
    const NodeRecord& record = member.mapped().record;
    departed_.put(record, leaving, reason, now_);
    actions_.emplace_back(NodeLeft{name, record.incarnation, std::string(reason)});
    dialer_.unpark(name, now_);
    if (leaving != Leaving::over) dialer_.add(record.registry_address, name, now_, Dialer::kFirstDelay);
  }
  if (auto challenge = challenges_.extract(name)) {
    for (const Newcomer& newcomer : challenge.mapped().newcomers) introduce(newcomer);
  }
}

/// Before this node's own link is greeted, the other's is all that tells of its end. It may also be the one that
/// brought a newcomer, about which somebody is still being asked.
void Membership::end_caller(CallerId id) {
  for (auto& [name, challenge] : challenges_) {
    std::erase_if(challenge.newcomers, [&](const Newcomer& newcomer) { return newcomer.source == Source(id); });
  }
  std::erase_if(challenges_, [](const auto& entry) { return entry.second.newcomers.empty(); });
  const auto caller = callers_.extract(id);
  if (!caller) return;
  const Caller& node = caller.mapped();
  const Member* member = find_member(node.name);
  if (member == nullptr || member->record.incarnation != node.incarnation || is_connected(node)) return;
  remove(node.name, "its connection to this node ended", Leaving::lost);
}

/// It has said something, but was lost because it did not answer, and has not done so since: that does not bring it
/// back, however long it lasts.
bool Membership::stays_deaf(const Caller& node) {
  const auto* departed = departed_.find(node.name);
  if (departed == nullptr || !departed->was_deaf || departed->incarnation != node.incarnation ||
      departed->registry_address != node.registry_address)
    return false;
  departed_.keep(node.name, now_);
  return true;
}

/// Whether there is a connection that this node, as it is known, has opened.
bool Membership::has_dialled(const NodeRecord& record) const {
  return std::any_of(callers_.begin(), callers_.end(), [&](const auto& entry) { return entry.second.is_of(record); });
}

/// One node may have dialled this one twice, under two of its addresses; and a link that is greeted tells by itself.
bool Membership::is_connected(const Caller& node) const {
  if (dialer_.to_node(node.name) != nullptr) return true;
  return std::any_of(callers_.begin(), callers_.end(), [&](const auto& entry) {
    return entry.second.name == node.name && entry.second.incarnation == node.incarnation;
  });
}

/// Two that joined through different nodes find each other by this.
void Membership::tell_of(const NodeRecord& record) {
  const auto message =
      std::make_shared<const wire::Message>(wire::Peers{{{record.name, record.incarnation, record.registry_address}}});
  dialer_.for_each_up([&](Link& link) {
    if (link.state == Link::State::greeted && link.node != record.name)
      actions_.emplace_back(SendToLink{link.id, message});
  });
}

void Membership::watch_challenges() {
  std::vector<std::string> unanswered;
  for (const auto& [name, challenge] : challenges_) {
    if (now_ >= challenge.deadline) unanswered.push_back(name);
  }
  for (const std::string& name : unanswered) holder_is_gone(name);
}

/// A member's silence first makes it suspect, and then lost. What is looked at is whether it answers on this node's own
/// link: calls travel in that direction, so one that is merely heard is of no use (each node routes by its own links).
void Membership::watch_members() {
  next_watch_ = Time::max();
  std::vector<std::pair<std::string, Leaving>> silent;
  for (auto& [name, member] : members_) {
    const Time sign = last_sign_of(name, member);
    if (now_ >= sign + options_.lost_after) {
      silent.emplace_back(name, now_ < member.heard + suspect_after_ ? Leaving::deaf : Leaving::lost);
      continue;
    }
    if (now_ >= sign + suspect_after_ && !std::exchange(member.suspected, true)) {
      actions_.emplace_back(NodeSuspected{name});
    }
    next_watch_ = std::min(next_watch_, sign + (member.suspected ? options_.lost_after : suspect_after_));
  }
  const std::string time = " for " + std::to_string(options_.lost_after.count()) + " ms";
  for (const auto& [name, leaving] : silent) {
    remove(name, (leaving == Leaving::deaf ? "it is heard, but has not answered" : "nothing was heard of it") + time,
           leaving);
  }
}

/// While this node has no link to it that is greeted, whatever it says counts.
Time Membership::last_sign_of(const std::string& name, const Member& member) const {
  const Link* link = dialer_.to_node(name);
  return link != nullptr ? link->heard : member.heard;
}

void Membership::heard_from(Member& member, bool on_own_link) {
  member.heard = now_;
  if (!member.suspected || (!on_own_link && dialer_.to_node(member.record.name) != nullptr)) return;
  member.suspected = false;
  next_watch_ = std::min(next_watch_, now_ + suspect_after_);
  actions_.emplace_back(NodeTrusted{member.record.name});
}

/// Whoever came in while a link still led to who had its name before has not been dialled then.
void Membership::dial_members() {
  for (const auto& [name, member] : members_) {
    if (dialer_.to_node(name) == nullptr) dialer_.add(member.record.registry_address, name, now_);
  }
}

/// One member is told all the others, the next one the next time: repairs what no other message has told.
void Membership::exchange_peers() {
  Link* next = nullptr;
  Link* first = nullptr;
  for (const auto& [name, member] : members_) {
    Link* link = dialer_.to_node(name);
    if (link == nullptr) continue;
    if (first == nullptr) first = link;
    if (next == nullptr && name > last_exchange_) next = link;
  }
  if (next == nullptr) next = first;
  if (next == nullptr) return;
  last_exchange_ = next->node;
  send(next->id, wire::Peers{known_peers(next->node)});
}

void Membership::forget_old() {
  departed_.expire(now_);
  std::erase_if(callers_, [&](const auto& entry) {
    return now_ - entry.second.heard > std::max<Duration>(kCallerRemembered, 10 * options_.lost_after);
  });
  std::erase_if(warned_, [&](const auto& entry) { return now_ - entry.second >= kWarnedAgainAfter; });
}

std::vector<wire::PeerAddress> Membership::known_peers(std::string_view except) const {
  std::vector<wire::PeerAddress> peers;
  for (const auto& [name, member] : members_) {
    if (name == except || peers.size() == wire::kMaxPeers) continue;
    peers.push_back({name, member.record.incarnation, member.record.registry_address});
  }
  return peers;
}

std::vector<MemberRow> Membership::rows() const {
  std::vector<MemberRow> rows;
  rows.reserve(members_.size());
  for (const auto& [name, member] : members_) {
    const NodeRecord& record = member.record;
    rows.push_back({.name = name,
                    .incarnation = record.incarnation,
                    .version = record.version,
                    .call_address = record.call_address,
                    .registry_address = record.registry_address,
                    .since = member.since,
                    .version_since = member.version_since,
                    .round_trip = member.round_trip,
                    .services = record.services.size(),
                    .acknowledged = member.acknowledged});
  }
  return rows;
}

/// Those to whom there is no link cannot be told, and cannot say so.
bool Membership::acknowledged() const {
  return std::all_of(members_.begin(), members_.end(), [&](const auto& entry) {
    return dialer_.to_node(entry.first) == nullptr || entry.second.acknowledged >= record_.version;
  });
}

Membership::Member* Membership::find_member(std::string_view name) {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

}  // namespace busbar::registry
