// The names of a host's events, as observers and the command line know them.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace busbar::wire {

/// How many a host tells at a time, at most.
inline constexpr std::size_t kMostEventsTold = 1'000;

/// In the order of the host's EventKind.
inline constexpr std::array<std::string_view, 18> kEventNames = {
    "discovering_service",
    "service_not_found",
    "service_found",
    "invoking_service",
    "service_responded",
    "service_request_received",
    "executing_service",
    "execution_finished",
    "checking_if_service_call_is_authorized",
    "register_local_services",
    "inline_service_too_slow",
    "plugin_loaded",
    "plugin_reloaded",
    "plugin_unloaded",
    "plugin_failed",
    "node_joined",
    "node_left",
    "circle_refused",
};

}  // namespace busbar::wire
