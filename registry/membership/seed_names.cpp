#include "membership/seed_names.hpp"

#include <algorithm>
#include <utility>

namespace busbar::registry {

void SeedNames::add(const std::string& name, Time now) {
  const auto [at, is_new] = names_.try_emplace(name);
  if (is_new) at->second.due = at->second.lost = now;
}

void SeedNames::remove(const std::string& name) {
  const auto entry = names_.extract(name);
  if (!entry) return;
  for (const std::string& address : entry.mapped().addresses) {
    if (!stands_for(address)) dialer_.end_named_seed(address);
  }
}

void SeedNames::look(Time now, Actions& actions) {
  for (auto& [name, entry] : names_) {
    if (!entry.asked) look_at_addresses(name, entry, now, actions);
    if (now < entry.due) continue;
    if (!entry.asked) {
      entry.asked = true;
      entry.due = now + patience_;
      actions.emplace_back(Resolve{name});
    } else if (!std::exchange(entry.tried, true)) {
      warn(name, entry, "its name takes long to be looked up", actions);
    }
  }
}

/// Whether it must be looked up again, and whether somebody must be told.
void SeedNames::look_at_addresses(const std::string& name, Name& entry, Time now, Actions& actions) {
  std::size_t others = 0, reached = 0, told = 0;
  std::string all;
  for (const std::string& address : entry.addresses) {
    const Link* link = dialer_.at_address(address);
    if (link == nullptr || link->is_self) continue;
    ++others;
    if (link->is_reached()) ++reached;
    if (link->told) ++told;
    all += (all.empty() ? "" : ", ") + address;
  }
  if (others == 0) return;
  if (reached != 0) entry.told = false;
  if (told == others) warn(name, entry, "nobody answers at " + all, actions);
  if (reached == others) {
    entry.due = Time::max();
    entry.delay = Dialer::kFirstDelay;
    entry.lost = now;
  } else if (entry.due == Time::max()) {
    entry.due = now + Dialer::kFirstDelay;
  }
}

void SeedNames::resolved(const std::string& name, const std::vector<std::string>& addresses, std::string_view error,
                         Time now, std::mt19937_64& random, Actions& actions) {
  const auto found = names_.find(name);
  if (found == names_.end() || !found->second.asked) return;
  Name& entry = found->second;
  entry.asked = false;
  entry.tried = true;
  entry.due = now + Dialer::spread(entry.delay, random);
  entry.delay = Dialer::longer(entry.delay, now - entry.lost);
  if (addresses.empty()) {  // what it stood for before may still be there
    warn(name, entry, "its name cannot be looked up: " + std::string(error), actions);
  } else {
    replace(entry, addresses, now);
  }
}

void SeedNames::replace(Name& entry, const std::vector<std::string>& addresses, Time now) {
  const auto before = std::exchange(entry.addresses, addresses);
  for (const std::string& address : before) {
    if (!stands_for(address)) dialer_.end_named_seed(address);
  }
  for (const std::string& address : addresses) dialer_.add_named_seed(address, now);
}

bool SeedNames::stands_for(const std::string& address) const {
  return std::any_of(names_.begin(), names_.end(), [&](const auto& name) {
    const auto& addresses = name.second.addresses;
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
  });
}

/// Once, until somebody is reached.
void SeedNames::warn(const std::string& name, Name& entry, const std::string& what, Actions& actions) {
  if (std::exchange(entry.told, true)) return;
  actions.emplace_back(Warn{"could not reach seed " + name + ": " + what + "; it is tried again until it is there"});
}

bool SeedNames::tried() const {
  return std::all_of(names_.begin(), names_.end(), [](const auto& name) { return name.second.tried; });
}

Time SeedNames::next_deadline() const {
  Time next = Time::max();
  for (const auto& [name, entry] : names_) {
    if (!entry.asked || !entry.tried) next = std::min(next, entry.due);
  }
  return next;
}

}  // namespace busbar::registry
