// What a host has counted, as one document: what `busbar top` looks at twice.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>

#include "node/node.hpp"

namespace busbar::host {

/// {"node", "at_us", "uptime_s", "pool", "services", "remote", "nodes", "unserved"} (docs/protocol.md, section 8); all
/// counts are totals, and durations are counted in steps, of which those are left out that nothing belongs to.
nlohmann::json stats_document(Node& node, std::chrono::steady_clock::time_point started);

}  // namespace busbar::host
