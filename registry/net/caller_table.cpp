#include "net/caller_table.hpp"

#include <utility>

namespace busbar::registry::net {

void CallerTable::disconnected(int descriptor) {
  closed_.insert(descriptor);
  if (const auto holder = by_descriptor_.extract(descriptor)) ended_.push_back(holder.mapped());
}

std::optional<CallerId> CallerTable::heard(const std::string& routing_id, Time now) {
  const auto known = by_routing_id_.find(routing_id);
  if (known == by_routing_id_.end()) return std::nullopt;
  callers_.at(known->second).heard = now;
  return known->second;
}

std::optional<CallerId> CallerTable::add(const std::string& routing_id, int descriptor, Time now) {
  if (callers_.size() >= most_ || closed_.contains(descriptor)) return std::nullopt;
  const CallerId id{++last_id_};
  callers_.emplace(id, Caller{routing_id, descriptor, now});
  by_routing_id_.emplace(routing_id, id);
  if (descriptor < 0) return id;
  const auto [holder, is_first] = by_descriptor_.try_emplace(descriptor, id);
  if (!is_first) ended_.push_back(std::exchange(holder->second, id));
  return id;
}

const std::string* CallerTable::routing_id(CallerId id) const {
  const auto found = callers_.find(id);
  return found == callers_.end() ? nullptr : &found->second.routing_id;
}

int CallerTable::descriptor(CallerId id) const {
  const auto found = callers_.find(id);
  return found == callers_.end() ? -1 : found->second.descriptor;
}

bool CallerTable::remove(CallerId id) {
  const auto caller = callers_.extract(id);
  if (!caller) return false;
  by_routing_id_.erase(caller.mapped().routing_id);
  const auto holder = by_descriptor_.find(caller.mapped().descriptor);
  if (holder != by_descriptor_.end() && holder->second == id) by_descriptor_.erase(holder);
  return true;
}

std::vector<CallerId> CallerTable::take_ended() {
  std::vector<CallerId> ended = std::exchange(ended_, {});
  std::erase_if(ended, [this](CallerId id) { return !remove(id); });
  return ended;
}

std::vector<CallerId> CallerTable::take_silent(Time before) {
  std::vector<CallerId> silent;
  for (const auto& [id, caller] : callers_) {
    if (caller.heard < before) silent.push_back(id);
  }
  for (const CallerId id : silent) remove(id);
  return silent;
}

}  // namespace busbar::registry::net
