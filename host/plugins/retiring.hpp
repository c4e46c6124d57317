// What keeps a plugin in the process after it was replaced or taken away.
#pragma once

#include <string>
#include <vector>

#include "dispatch/call.hpp"
#include "dispatch/instance.hpp"
#include "plugins/file/router_check.hpp"

namespace busbar::host {

/// So many images that could not be unloaded are kept that no more may come to be.
class NoRoom : public PluginError {
 public:
  using PluginError::PluginError;
};

/// Why a plugin is not destroyed although its time is over. `calls`: those that were ended, or some of them.
std::string reason_of_stuck(const Instance& instance, const std::vector<EndedInside>& calls);

}  // namespace busbar::host
