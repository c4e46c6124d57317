#include "unit/registry/simulation/view.hpp"

#include <algorithm>

namespace busbar::registry::testing {

std::string View::start_of(const NodeRecord& record) {
  return record.name + " (incarnation " + std::to_string(record.incarnation) + ", version " +
         std::to_string(record.version) + ", at " + record.registry_address + ")";
}

/// A service of an older start is never seen after one of a newer start was.
std::string View::is_older(const NodeRecord& record) {
  std::uint64_t& highest = highest_[record.name];
  if (record.incarnation < highest)
    return start_of(record) + " is seen after incarnation " + std::to_string(highest) + " was";
  highest = record.incarnation;
  return {};
}

std::string View::joined(const NodeRecord& record) {
  if (record.name == owner_) return "it joined itself: " + start_of(record);
  if (!records_.emplace(record.name, record).second) return start_of(record) + " joined twice";
  return is_older(record);
}

std::string View::changed(const NodeRecord& record) {
  const auto known = records_.find(record.name);
  if (known == records_.end()) return start_of(record) + " changed, but had not joined";
  const NodeRecord& before = known->second;
  if (record.incarnation != before.incarnation || record.registry_address != before.registry_address ||
      record.call_address != before.call_address || record.version <= before.version)
    return start_of(record) + " came after " + start_of(before);
  known->second = record;
  return is_older(record);
}

std::string View::left(const NodeLeft& node) {
  const auto known = records_.find(node.name);
  if (known == records_.end()) return node.name + " left, but had not joined";
  const std::uint64_t incarnation = known->second.incarnation;
  records_.erase(known);
  if (incarnation == node.incarnation) return {};
  return node.name + " left in incarnation " + std::to_string(node.incarnation) + ", it was known in " +
         std::to_string(incarnation);
}

}  // namespace busbar::registry::testing
