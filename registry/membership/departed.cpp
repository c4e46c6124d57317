#include "membership/departed.hpp"

#include <algorithm>

namespace busbar::registry {

void Departed::put(const std::string& name, std::uint64_t incarnation, bool said_goodbye, Time now) {
  auto [entry, is_new] = entries_.try_emplace(name, Entry{incarnation, said_goodbye, now + kRemembered});
  if (!is_new && entry->second.incarnation <= incarnation) {
    said_goodbye = said_goodbye || (entry->second.incarnation == incarnation && entry->second.said_goodbye);
    entry->second = {incarnation, said_goodbye, now + kRemembered};
  }
  if (entries_.size() > kMost) {
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& left, const auto& right) {
      return left.second.until < right.second.until;
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

void Departed::expire(Time now) {
  std::erase_if(entries_, [now](const auto& entry) { return entry.second.until <= now; });
}

}  // namespace busbar::registry
