#include "membership/departed.hpp"

#include <algorithm>

namespace busbar::registry {

void Departed::put(const NodeRecord& record, Leaving leaving, std::string_view reason, Time now) {
  Entry& entry = entries_[record.name];
  if (entry.incarnation > record.incarnation) return;
  const bool is_over = leaving == Leaving::over || (entry.incarnation == record.incarnation && entry.is_over);
  entry = {record.incarnation,  is_over, leaving == Leaving::deaf, record.registry_address, now,
           std::string(reason), now};
  if (entries_.size() > kMost) {
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& left, const auto& right) {
      return left.second.left < right.second.left;
    }));
  }
}

const Departed::Entry* Departed::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void Departed::erase(std::string_view name) {
  if (const auto found = entries_.find(name); found != entries_.end()) entries_.erase(found);
}

void Departed::keep(std::string_view name, Time now) {
  if (const auto found = entries_.find(name); found != entries_.end()) found->second.kept = now;
}

void Departed::expire(Time now) {
  std::erase_if(entries_, [now](const auto& entry) { return entry.second.kept + kRemembered <= now; });
}

}  // namespace busbar::registry
