// What the log says of a reload.
#pragma once

#include "daemon/live_config.hpp"
#include "log/log.hpp"

namespace busbar::host {

/// Threads: any.
void log_reload(const ConfigReload& outcome, const Logger& log);

}  // namespace busbar::host
