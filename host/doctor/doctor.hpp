// `busbar doctor`: what is wrong with a host or with its machine, and what to do (docs/decisions/0026).
#pragma once

#include <istream>
#include <ostream>

#include "config/config.hpp"

namespace busbar::host::doctor {

/// Looks at everything and writes what it has found. `running`: what the command line has asked of the host, one JSON
/// object; with a host that answers, its own configuration is judged in place of `source`. Returns the exit status: 1
/// with any problem.
int examine(ConfigSource source, std::istream& running, bool json, std::ostream& out);

}  // namespace busbar::host::doctor
