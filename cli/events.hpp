// `busbar events`: the last events of a host, and those that come.
#pragma once

#include <functional>
#include <string>

#include "command_line.hpp"
#include "failure.hpp"
#include "response_json.hpp"
#include "text.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// Lets a moment pass, or none where more has come already (`at_once`). False: the host is gone.
using Pause = std::function<bool(bool at_once)>;

/// Shows the last events, as far as the command asks for them; with `follow` it goes on with those that come until the
/// host is gone. Errors: Failure; of status no_host when a host that was followed stops.
ExitStatus run_events(const Command& command, const Ask& ask, const Pause& pause, const Streams& streams);

/// One event, or one word on how many were missed, on a line of its own.
std::string event_line(const Json& event, const Palette& palette);

}  // namespace busbar::cli
