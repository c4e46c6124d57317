#include "unit/registry/simulation/agreement.hpp"

namespace busbar::registry::testing {
namespace {

using Holders = std::map<std::string, const VirtualNode*>;  // by name

bool is_before(const NodeRecord& left, const NodeRecord& right) {
  return left.incarnation != right.incarnation ? left.incarnation > right.incarnation
                                               : left.registry_address < right.registry_address;
}

Holders holders_of_names(const SimulatedNetwork& network) {
  Holders holders;
  for (const VirtualNode& node : network.nodes()) {
    if (!node.alive) continue;
    const VirtualNode*& holder = holders[node.options.node];
    if (holder == nullptr || is_before(node.machine->record(), holder->machine->record())) holder = &node;
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
  return found;
}

/// What the machine says of its members is what its driver was told.
std::string disagreement_with_rows(const VirtualNode& node) {
  const auto rows = node.machine->rows();
  bool same = rows.size() == static_cast<std::size_t>(std::distance(node.view.begin(), node.view.end()));
  for (const MemberRow& row : rows) {
    same = same && node.view.contains(row.name) && node.view.at(row.name).incarnation == row.incarnation &&
           node.view.at(row.name).services.size() == row.services;
  }
  return same ? "" : "the rows at " + node.key + " are not what was told; ";
}

}  // namespace

std::string disagreement(const SimulatedNetwork& network) {
  const Holders holders = holders_of_names(network);
  std::string found;
  for (const VirtualNode& node : network.nodes()) {
    if (node.alive) found += disagreement_at(node, holders) + disagreement_with_rows(node);
  }
  return found;
}

}  // namespace busbar::registry::testing
