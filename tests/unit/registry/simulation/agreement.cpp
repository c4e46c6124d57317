#include "unit/registry/simulation/agreement.hpp"

#include <algorithm>

namespace busbar::registry::testing {
namespace {

using Holders = std::map<std::string, const VirtualNode*>;  // by name

/// Which of two nodes of one name is routed to.
bool is_before(const VirtualNode& left, const VirtualNode& right) {
  const NodeRecord& one = left.machine->record();
  const NodeRecord& other = right.machine->record();
  if (left.machine->established() != right.machine->established()) return left.machine->established();
  if (one.incarnation != other.incarnation) return one.incarnation > other.incarnation;
  return one.registry_address < other.registry_address;
}

Holders holders_of_names(const SimulatedNetwork& network) {
  Holders holders;
  for (const VirtualNode& node : network.nodes()) {
    if (!node.alive) continue;
    const VirtualNode*& holder = holders[node.options.node];
    if (holder == nullptr || is_before(node, *holder)) holder = &node;
  }
  return holders;
}

std::string disagreement_at(const VirtualNode& node, const Holders& holders) {
  std::string found;
  for (const auto& [name, holder] : holders) {
    if (name == node.options.node) continue;
    if (!node.view.contains(name)) {
      found += node.key + " does not know " + name + " at " + holder->key + "; ";
    } else if (const NodeRecord& known = node.view.at(name); known != holder->machine->record()) {
      const bool is_elsewhere = known.registry_address != holder->machine->record().registry_address;
      found += node.key + (is_elsewhere ? " knows the other " : " has an old record of ") + name + "; ";
    }
  }
  for (const auto& [name, record] : node.view) {
    if (!holders.contains(name)) found += node.key + " knows " + name + ", which is gone; ";
  }
  for (const std::string& name : node.suspected) found += node.key + " suspects " + name + "; ";
  return found;
}

/// What the machine says of its members is what its driver was told.
std::string disagreement_with_rows(const VirtualNode& node) {
  const auto rows = node.machine->rows();
  bool same = rows.size() == node.view.size();
  for (const MemberRow& row : rows) {
    same = same && node.view.contains(row.name) && node.view.at(row.name).incarnation == row.incarnation &&
           node.view.at(row.name).services.size() == row.services;
  }
  return same ? "" : "the rows at " + node.key + " are not what was told; ";
}

bool has_warned(const VirtualNode& node, const std::string& of) {
  return std::any_of(node.warnings.begin(), node.warnings.end(),
                     [&](const std::string& warning) { return warning.find(of) != std::string::npos; });
}

/// One that shares its name with the node that is routed to has no members. It may only be an established one (else it
/// is refused), and both must say so.
std::string disagreement_of_two(const VirtualNode& node, const VirtualNode& holder) {
  if (!node.machine->established())
    return node.key + " has not been refused yet, though " + holder.key + " has its name; ";
  std::string found;
  if (!has_warned(node, "is held by another live node")) found += node.key + " has not warned of its name; ";
  if (!has_warned(holder, "refused a second node named "))
    found += holder.key + " has not warned of " + node.key + "; ";
  return found;
}

}  // namespace

std::string disagreement(const SimulatedNetwork& network) {
  const Holders holders = holders_of_names(network);
  std::string found;
  for (const VirtualNode& node : network.nodes()) {
    if (!node.alive) continue;
    const VirtualNode& holder = *holders.at(node.options.node);
    found += &holder == &node ? disagreement_at(node, holders) : disagreement_of_two(node, holder);
    found += disagreement_with_rows(node);
  }
  return found;
}

}  // namespace busbar::registry::testing
