#include "net/server_keys.hpp"

#include <algorithm>

namespace busbar::registry::net {

std::vector<keys::PublicKey> ServerKeys::for_address(const std::string& address, std::string_view node,
                                                     const keys::Authorized& listed) const {
  std::vector<keys::PublicKey> all = listed.of_nodes();
  const auto is_said_to_be_there = [&](const keys::PublicKey& key) {
    return !node.empty() && listed.find(key)->name == node;
  };
  const auto others = std::stable_partition(all.begin(), all.end(), is_said_to_be_there);
  const auto last = last_.find(address);
  if (last == last_.end()) return all;
  // A search that was cut short goes on where it was; of a node that is known by name, among its own.
  const auto begin = all.begin();
  const auto end = others == begin ? all.end() : others;
  const auto found = std::find(begin, end, last->second);
  if (found != end) std::rotate(begin, found, end);
  return all;
}

bool ServerKeys::may_try_another(const std::string& address, Time now) {
  if (tried_.size() >= kMostRemembered) tried_.clear();
  Tried& tried = tried_[address];
  if (now >= tried.begun + std::chrono::minutes(1)) tried = {.begun = now};
  return ++tried.count <= kMostInAMinute;
}

void ServerKeys::tries(const std::string& address, const keys::PublicKey& key) {
  if (last_.size() >= kMostRemembered) last_.clear();
  last_.insert_or_assign(address, key);
}

}  // namespace busbar::registry::net
