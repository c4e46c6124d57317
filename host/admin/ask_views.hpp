// Asking every node that this one sees how it sees the cluster, all at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "admin/views.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

/// Calls `answer` with what they say, this node first, once, on any thread, possibly before it has returned: when the
/// last one has answered, and within `timeout_ms`. `own`: what this node itself says (`nodes`). `others`: whether any
/// but this one is asked. Ownership: the dispatcher outlives the answer. Errors: nlohmann::json::exception where `own`
/// names no nodes; std::bad_alloc.
void ask_views(Dispatcher& dispatcher, nlohmann::json own, bool others, std::uint32_t timeout_ms,
               std::function<void(std::vector<NodeView> views)> answer);

}  // namespace busbar::host
