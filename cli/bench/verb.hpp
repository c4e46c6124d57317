// `busbar bench`: how long calls of a service take.
#pragma once

#include <busbar/wire/admin.hpp>

#include <functional>
#include <memory>

#include "bench/call_pipe.hpp"
#include "command_line.hpp"
#include "failure.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// Makes the connection over which that call is made.
using ConnectPipe = std::function<std::unique_ptr<CallPipe>(const wire::AdminRequest& call)>;

/// Calls, measures and tells of it; how it goes is shown on standard error. `ask` is for a hint. Error: where calls
/// failed, or none was measured. From its first call on signals wait until they are looked at. Errors: Failure.
ExitStatus run_bench(const Command& command, const ConnectPipe& connect, const Ask& ask, bool err_is_terminal,
                     const Streams& streams);

}  // namespace busbar::cli
