// What must hold when all has been quiet for a while.
#pragma once

#include <string>

#include "unit/registry/simulation/network.hpp"

namespace busbar::registry::testing {

/// Whether everybody who is alive knows exactly who else is, by their newest record, and of two live nodes of one name
/// all the same one: that of the higher incarnation, or of the smaller address. In words, where not.
std::string disagreement(const SimulatedNetwork& network);

}  // namespace busbar::registry::testing
