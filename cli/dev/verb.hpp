// The verb `dev`: a plugin's project is built, served, and built and served again at every save.
#pragma once

#include "command_line.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// Returns when it is interrupted. Errors: Failure.
ExitStatus develop(const Command& command, const Variables& variables, const Streams& streams);

}  // namespace busbar::cli
