#include "config/changes.hpp"

#include <set>

namespace busbar::host {

std::vector<const Key*> different_keys(const Config& one, const Config& other) {
  Config left = one, right = other;  // a target gives out a writable member
  std::vector<const Key*> out;
  for (const Key& key : all_keys()) {
    const bool differs = std::visit([&](auto member) { return member(left) != member(right); }, key.target);
    if (differs) out.push_back(&key);
  }
  return out;
}

std::vector<std::string> different_tables(const Config& one, const Config& other) {
  std::set<std::string> names;
  for (const Config* config : {&one, &other}) {
    for (const auto& [name, table] : config->plugin_tables) names.insert(name);
  }
  std::erase_if(names, [&](const std::string& name) {
    const auto left = one.plugin_tables.find(name), right = other.plugin_tables.find(name);
    return left != one.plugin_tables.end() && right != other.plugin_tables.end() && left->second == right->second;
  });
  return {names.begin(), names.end()};
}

void take_value(const Key& key, const Config& from, Config& to) {
  Config source = from;
  std::visit([&](auto member) { member(to) = member(source); }, key.target);
  take_origin(key, from, to);
}

void take_origin(const Key& key, const Config& from, Config& to) {
  const std::string name = full_name(key);
  const auto origin = from.origins.find(name);
  if (origin == from.origins.end()) {
    to.origins.erase(name);
  } else {
    to.origins[name] = origin->second;
  }
}

}  // namespace busbar::host
