// The calls, as Prometheus sees them.
#pragma once

#include "metrics/exposition.hpp"
#include "node/node.hpp"

namespace busbar::host {

/// What has been counted of calls up to now, read at once, in the order of its families. Collected in slices: of 1,000
/// services it is nearly all that a host tells.
/// Series by service, plugin and version are those of what is loaded here, and by peer those of the members that this
/// node knows: nobody who calls can make another one. All outcomes are there from the beginning: a counter that appears
/// with its first failure shows no increase.
/// Errors: std::bad_alloc. Threads: any.
Collectors call_metrics(const Node& node);

}  // namespace busbar::host
