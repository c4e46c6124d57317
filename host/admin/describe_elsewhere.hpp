// Describing a service that other nodes provide: they are asked, one after the other, until one tells.
#pragma once

#include <busbar/wire/admin.hpp>

#include <functional>
#include <string>
#include <vector>

#include "dispatch/dispatcher.hpp"

namespace busbar::host {

/// Calls `answer`, once and on any thread, with the frame that the first of `nodes` answers, or with one that says why
/// none did: where there is none, or none provides it, `service_unavailable`.
/// Ownership: the dispatcher outlives the answer.
void describe_elsewhere(Dispatcher& dispatcher, const wire::AdminRequest& request, std::vector<std::string> nodes,
                        std::function<void(std::vector<std::uint8_t> frame)> answer);

}  // namespace busbar::host
