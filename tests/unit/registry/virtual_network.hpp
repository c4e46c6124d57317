// The simulated network, for tests that say themselves what happens: what must hold at any time is their matter too.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "unit/registry/simulation/agreement.hpp"
#include "unit/registry/simulation/network.hpp"

namespace busbar::registry::testing {

inline RemoteService service(const std::string& name, const std::string& router = "words") {
  return {.name = name, .router = router};
}

class VirtualNetwork : public SimulatedNetwork {
 public:
  using SimulatedNetwork::SimulatedNetwork;
  ~VirtualNetwork() {
    for (const std::string& violation : violations) ADD_FAILURE() << violation;
  }
};

}  // namespace busbar::registry::testing
