// The registry's plane where there are keys: who is let in, who no more, and connections that are made anew because a
// key has followed another.
#include "net/plane_link.hpp"

#include <busbar/registry/net/rekey.hpp>

#include <algorithm>
#include <utility>

namespace busbar::registry::net {

namespace {

bool is_listed_as(const keys::Authorized& authorized, const keys::PublicKey& key, std::string_view name) {
  return authorized.is_node(key) && authorized.find(key)->name == name;
}

}  // namespace

std::string_view Plane::proven(CallerId id) const {
  const auto found = proven_.find(id);
  return found == proven_.end() ? std::string_view() : found->second.name;
}

void Plane::greeted(CallerId id, std::string_view name) { door_.greeted(callers_.descriptor(id), name); }

void Plane::misbehaved(CallerId id, TurnedAway why, std::string_view text) {
  const auto known = proven_.find(id);
  const keys::PublicKey* key = known == proven_.end() ? nullptr : &known->second.key;
  if (door_.misbehaved(callers_.descriptor(id), key, why, text, Time::clock::now())) callers_.ended(id);
}

// Before the others: who is not let in is not dialled anew.
void Plane::look_at_keys() {
  const auto authorized = options_.keyring->authorized();
  end_unlisted_callers(*authorized);
  end_unlisted_links(*authorized);
  std::erase_if(newest_, [&](const auto& one) { return !authorized->is_node(one.second); });
  look_at_own_key();
}

void Plane::end_unlisted_callers(const keys::Authorized& authorized) {
  for (auto at = proven_.begin(); at != proven_.end();) {
    const auto& [id, proven] = *at;
    if (is_listed_as(authorized, proven.key, proven.name)) {
      ++at;
      continue;
    }
    door_.turn_away(callers_.descriptor(id), TurnedAway::key_taken_away, kTakenAway);
    callers_.forget(id);
    at_once_.emplace_back(CallerGone{id});
    at = proven_.erase(at);
  }
}

void Plane::end_unlisted_links(const keys::Authorized& authorized) {
  std::vector<LinkId> ended;
  for (const auto& [id, link] : links_) {
    if (link->up && !is_listed_as(authorized, *link->server(), link->name)) ended.push_back(id);
  }
  for (const LinkId id : ended) {
    at_once_.emplace_back(LinkDown{id, kTakenAway});
    end_link(id);
  }
}

// -------------------------------------------------------------------------------------------------------- renewal

// What listens has the new key first: who is dialled by us dials back, and expects it. Where that fails it is tried
// again every second.
void Plane::look_at_own_key() {
  auto own = options_.keyring->own();
  if (own->key == own_->key) return;
  unread_callers_ = true;  // the socket is used
  take_key(router_, own->secret);
  own_ = std::move(own);
  for (auto& [id, caller] : proven_) caller.from_before = true;
  for (const auto& [id, link] : links_) {
    if (link->up) outdated_.insert(id);
  }
  renew_outdated();
}

// Where it dials us with another key than the one that we have met there, it has that one there, too, by now.
void Plane::key_proved(const std::string& node, const keys::PublicKey& key) {
  newest_.insert_or_assign(node, key);
  for (const auto& [id, link] : links_) {
    if (!link->up || !is_outdated(*link)) continue;
    outdated_.insert(id);
    renew(id);
  }
  count_renewing();
}

bool Plane::is_outdated(const Link& link) const {
  if (link.own == nullptr) return false;
  const auto proved = newest_.find(link.name);
  return link.own->key != own_->key || (proved != newest_.end() && proved->second != *link.server());
}

// Who does not list our new key yet is asked again every second.
void Plane::renew_outdated() {
  for (const LinkId id : outdated_) renew(id);
  count_renewing();
}

// Another connection beside the one that stands, which is used until then.
void Plane::renew(LinkId id) {
  if (renewals_.contains(id)) return;
  const Link& link = *links_.at(id);
  Dial dial{.address = link.dial.address, .node = link.name, .at = link.dial.at};
  dial.keys = options_.keyring->authorized()->of_nodes(link.name);
  if (const auto proved = newest_.find(link.name); proved != newest_.end()) {
    const auto found = std::find(dial.keys.begin(), dial.keys.end(), proved->second);
    if (found != dial.keys.end()) std::rotate(dial.keys.begin(), found, found + 1);
  }
  if (!dial.keys.empty()) dial_anew(id, std::move(dial));
}

void Plane::dial_anew(LinkId id, Dial dial) {
  try {
    renewals_.emplace(id, make_link(static_cast<std::uint64_t>(id) | kRenewal, std::move(dial)));
    unread_renewals_.insert(id);
  } catch (const std::exception&) {
    // no descriptor, perhaps: there may be one in a second
  }
}

void Plane::look_at_renewal(LinkId id, std::vector<PlaneEvent>& out) {
  const auto at = renewals_.find(id);
  if (at == renewals_.end()) return;
  while (const auto happened = at->second->monitor.next()) {
    if (happened->event == Monitor::Event::connected) continue;
    if (happened->event == Monitor::Event::handshake_succeeded) return take_over(id, out);
    Dial dial = std::move(at->second->dial);
    renewals_.erase(at);
    const bool is_other_key =
        happened->event == Monitor::Event::handshake_failed || happened->event == Monitor::Event::disconnected;
    if (is_other_key && dial.next < dial.keys.size()) dial_anew(id, std::move(dial));
    return;
  }
}

void Plane::take_over(LinkId id, std::vector<PlaneEvent>& out) {
  auto next = std::move(renewals_.extract(id).mapped());
  if (!take_name(*next) || next->name != links_.at(id)->name) return;
  // The key that it has proved last was tried first: if another one is right, it has not that one where it listens.
  const auto proved = newest_.find(next->name);
  if (proved != newest_.end() && next->dial.next > 1 && next->dial.keys.front() == proved->second)
    newest_.erase(proved);
  auto& link = links_.at(id);
  drain(id, *link, out);
  link = std::move(next);
  link->up = true;
  link->watch_as(watch_, static_cast<std::uint64_t>(id));
  (void)link->socket.get(zmq::sockopt::events);  // see receive_from
  if (!is_outdated(*link)) outdated_.erase(id);
  unread_.insert(id);
  out.emplace_back(LinkRenewed{id, link->name});
  count_renewing();
}

void Plane::count_renewing() {
  const auto callers =
      std::count_if(proven_.begin(), proven_.end(), [](const auto& one) { return one.second.from_before; });
  renewing_.store(outdated_.size() + static_cast<std::uint64_t>(callers), std::memory_order_relaxed);
}

}  // namespace busbar::registry::net
