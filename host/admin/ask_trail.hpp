// Following a call from node to node: each that was asked to serve a part of it is asked what it knows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "admin/trail_document.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

/// Calls `answer` with what is known of the calls of that correlation, once, on any thread, possibly before it has
/// returned; within `timeout_ms`. `others`: whether any but this node is asked. Ownership: the dispatcher outlives the
/// answer. Errors: std::bad_alloc.
void ask_trail(Dispatcher& dispatcher, const std::string& correlation_id, bool others, std::uint32_t timeout_ms,
               std::function<void(TrailParts parts)> answer);

}  // namespace busbar::host
