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
  if (is_new) {
    member.record = record;
    member.since = now_;
    const auto* departed = departed_.find(record.name);
    if (departed != nullptr && departed->registry_address != record.registry_address) {
      Link* old = dialer_.at_address(departed->registry_address);
      if (old != nullptr && old->state == Link::State::waiting) dialer_.forget(*old, now_, random_, actions_);
    }
    departed_.erase(record.name);
    actions_.emplace_back(NodeJoined{record});
  } else if (record.is_newer_than(member.record)) {
    member.record = record;
    actions_.emplace_back(RecordChanged{record});
  }
  return is_new;
}

bool Membership::is_of_member(std::string_view registry_address) const {
  return std::any_of(members_.begin(), members_.end(),
                     [&](const auto& entry) { return entry.second.record.registry_address == registry_address; });
}

/// `is_over`: this incarnation does not come back. Else it is dialled again, as it may.
void Membership::remove(std::string name, std::string_view reason, bool is_over) {
  if (auto member = members_.extract(name)) {
    const NodeRecord& record = member.mapped().record;
    departed_.put(record, is_over, now_);
    actions_.emplace_back(NodeLeft{name, record.incarnation, std::string(reason)});
    dialer_.unpark(name, now_);
    if (!is_over) dialer_.add(record.registry_address, now_, Dialer::kFirstDelay);
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
  remove(node.name, "its connection to this node ended", false);
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

void Membership::watch_members() {
  std::vector<std::string> silent;
  for (const auto& [name, member] : members_) {
    if (now_ >= member.heard + options_.lost_after) silent.push_back(name);
  }
  for (const std::string& name : silent) {
    remove(name, "nothing was heard of it for " + std::to_string(options_.lost_after.count()) + " ms", false);
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
    rows.push_back({name, record.incarnation, record.call_address, record.registry_address, member.since,
                    member.round_trip, record.services.size()});
  }
  return rows;
}

Membership::Member* Membership::find_member(std::string_view name) {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

}  // namespace busbar::registry
