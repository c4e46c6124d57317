// `busbar top`: what goes on at a host, again and again.
#pragma once

#include "bench/verb.hpp"
#include "command_line.hpp"
#include "failure.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// On a terminal a full screen until it is ended, by `q` or a signal; else, with `--once` or with `--json`, what has
/// happened in one interval. `connect`: to ask the host again and again. Errors: Failure; on the full screen of status
/// no_host only where no host has answered yet.
ExitStatus run_top(const Command& command, const ConnectPipe& connect, bool is_terminal, const Streams& streams);

}  // namespace busbar::cli
