// The verb `new`: writes a plugin's project, and says what to type next.
#pragma once

#include "command_line.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// Needs no host. Errors: Failure.
ExitStatus make_project(const Command& command, const Streams& streams);

}  // namespace busbar::cli
