#include "membership/dialer.hpp"

#include <algorithm>

namespace busbar::registry {

void Dialer::add_seed(const std::string& address, Time now) {
  Link& link = put(address, now);
  link.is_seed = true;
  link.is_named = false;
}

void Dialer::add_named_seed(const std::string& address, Time now) {
  Link& link = put(address, now);
  if (!link.is_seed) link.is_named = true;
  link.is_seed = true;
}

void Dialer::end_named_seed(const std::string& address) {
  const Link* link = at_address(address);
  if (link != nullptr && link->is_named) end_seed(address);
}

void Dialer::end_seed(const std::string& address) {
  Link* link = at_address(address);
  if (link == nullptr) return;
  link->is_seed = link->is_named = false;
  if (link->id == LinkId{}) links_.erase(links_.find(address));
}

void Dialer::add(const std::string& address, std::string_view node, Time now, Duration delay) {
  Link* known = at_address(address);
  if (known == nullptr) {
    if (links_.size() >= most_) forget_longest_lost(now);
    if (links_.size() < most_) put(address, now, delay).expected = node;
    return;
  }
  if (!node.empty()) known->expected = node;
  if (known->state == Link::State::parked && !known->is_self) unpark(*known, now + delay);
}

/// Of those where nobody has been for a while; none, where there are none.
void Dialer::forget_longest_lost(Time now) {
  auto longest = links_.end();
  for (auto at = links_.begin(); at != links_.end(); ++at) {
    const Link& link = at->second;
    if (link.is_seed || link.state != Link::State::waiting || !link.tried || now < link.lost + kAtFirst) continue;
    if (longest == links_.end() || link.lost < longest->second.lost) longest = at;
  }
  if (longest != links_.end()) links_.erase(longest);
}

Link& Dialer::put(const std::string& address, Time now, Duration delay) {
  const auto [at, is_new] = links_.try_emplace(address);
  Link& link = at->second;
  if (!is_new) return link;
  link.address = address;
  link.next_dial = now + delay;
  link.lost = now;
  link.delay = kFirstDelay;
  return link;
}

void Dialer::hurry(const std::string& address, std::string_view node, Time now) {
  add(address, node, now);
  Link* link = at_address(address);
  if (link != nullptr && link->state == Link::State::waiting) link->next_dial = now;
}

void Dialer::tick(Time now, std::mt19937_64& random, Actions& actions) {
  for (auto at = links_.begin(); at != links_.end();) {
    Link& link = (at++)->second;  // it may be forgotten
    switch (link.state) {
      case Link::State::waiting:
        if (!link.is_seed && now >= link.lost + kGiveUpAfter) {
          forget(link, now, random, actions);
        } else if (now >= link.next_dial) {
          dial(link, now, actions);
        }
        break;
      case Link::State::connecting:
      case Link::State::up:
      case Link::State::greeted:
        if (now < link.heard + lost_after_) break;
        warn_of_seed(link, "no answer", actions);
        drop(link, now, random, actions);
        break;
      case Link::State::parked:
        break;
    }
  }
}

Link* Dialer::find(LinkId id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Link* Dialer::to_node(std::string_view name) const {
  const auto found = by_node_.find(name);
  return found == by_node_.end() ? nullptr : found->second;
}

Link* Dialer::at_address(std::string_view address) {
  const auto found = links_.find(address);
  return found == links_.end() ? nullptr : &found->second;
}

bool Dialer::greeted(Link& link, const std::string& node, Actions& actions) {
  link.tried = true;
  const auto [at, is_first] = by_node_.try_emplace(node, &link);
  if (at->second == &link) {
    link.state = Link::State::greeted;
    link.node = link.expected = node;
    link.delay = kFirstDelay;
    link.told = false;
    return true;
  }
  actions.emplace_back(Close{link.id});
  end(link);
  park(link, node);
  return false;
}

/// A seed is remembered.
void Dialer::park(Link& link, const std::string& node) {
  if (!link.is_seed) {
    links_.erase(links_.find(link.address));
    return;
  }
  link.state = Link::State::parked;
  link.node = node;
  link.tried = true;
  link.told = false;
}

void Dialer::drop(Link& link, Time now, std::mt19937_64& random, Actions& actions, bool slowly) {
  if (link.id != LinkId{}) actions.emplace_back(Close{link.id});
  if (link.state == Link::State::greeted) link.lost = now;
  if (slowly) link.delay = kLongestDelay;
  end(link);
  wait(link, now, random);
}

void Dialer::lost(Link& link, std::string_view reason, Time now, std::mt19937_64& random, Actions& actions) {
  warn_of_seed(link, reason, actions);
  end(link);
  wait(link, now, random);
}

void Dialer::forget(Link& link, Time now, std::mt19937_64& random, Actions& actions) {
  if (link.is_seed) return drop(link, now, random, actions);
  if (link.id != LinkId{}) actions.emplace_back(Close{link.id});
  end(link);
  links_.erase(links_.find(link.address));
}

void Dialer::pass_over(Link& link, Actions& actions) {
  actions.emplace_back(Close{link.id});
  end(link);
  link.is_self = true;
  park(link, {});
}

void Dialer::unpark(std::string_view node, Time now) {
  for (auto& [address, link] : links_) {
    if (link.state == Link::State::parked && link.node == node) unpark(link, now + kFirstDelay);
  }
}

void Dialer::unpark(Link& link, Time next_dial) {
  link.state = Link::State::waiting;
  link.node.clear();
  link.next_dial = next_dial;
}

void Dialer::close_all(Actions& actions) {
  for (const auto& [address, link] : links_) {
    if (link.id != LinkId{}) actions.emplace_back(Close{link.id});
  }
  links_.clear();
  by_id_.clear();
  by_node_.clear();
}

void Dialer::forgive_silence(Time now) {
  for (auto& [address, link] : links_) link.heard = std::max(link.heard, now);
}

bool Dialer::all_tried() const {
  return std::all_of(links_.begin(), links_.end(), [](const auto& entry) { return entry.second.tried; });
}

Time Dialer::next_deadline() const {
  Time next = Time::max();
  for (const auto& [address, link] : links_) {
    if (link.state == Link::State::waiting) {
      next = std::min(next, link.is_seed ? link.next_dial : std::min(link.next_dial, link.lost + kGiveUpAfter));
    } else if (link.state != Link::State::parked) {
      next = std::min(next, link.heard + lost_after_);
    }
  }
  return next;
}

void Dialer::dial(Link& link, Time now, Actions& actions) {
  link.id = LinkId{++last_id_};
  link.state = Link::State::connecting;
  link.heard = now;
  by_id_.emplace(link.id, &link);
  actions.emplace_back(Connect{link.id, link.address, link.expected});
}

/// There is no connection any more.
void Dialer::end(Link& link) {
  by_id_.erase(link.id);
  link.id = LinkId{};
  if (link.state == Link::State::greeted) by_node_.erase(by_node_.find(link.node));
  link.node.clear();
  link.proven.clear();
  link.state = Link::State::waiting;
}

/// One that was just reset had been greeted: the time in which it may come back begins now.
void Dialer::wait(Link& link, Time now, std::mt19937_64& random) {
  link.tried = true;
  if (link.delay == kFirstDelay) link.lost = now;
  link.next_dial = now + spread(link.delay, random);
  link.delay = longer(link.delay, now - link.lost);
  if (!link.is_seed && now >= link.lost + kLater) link.delay = kLongestDelayLater;
}

Duration Dialer::longer(Duration delay, Duration since_lost) {
  return std::min<Duration>(2 * delay, since_lost < kAtFirst ? kLongestDelayAtFirst : kLongestDelay);
}

Duration Dialer::spread(Duration delay, std::mt19937_64& random) {
  const auto fifth = static_cast<std::uint64_t>(delay.count() / 5);
  return delay + Duration{static_cast<Duration::rep>(random() % (2 * fifth + 1)) - static_cast<Duration::rep>(fifth)};
}

/// Once, until it has been reached.
void Dialer::warn_of_seed(Link& link, std::string_view reason, Actions& actions) {
  if (!link.is_seed || link.told || link.state == Link::State::greeted) return;
  link.told = true;
  if (link.is_named) return;
  actions.emplace_back(Warn{"could not reach seed " + link.address + ": " + std::string(reason) +
                            "; it is tried again until it is there"});
}

}  // namespace busbar::registry
