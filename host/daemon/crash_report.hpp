// The last line of a host that crashes.
#pragma once

#include "log/log.hpp"

namespace busbar::host {

/// From here on a crash of this process (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, and so an exception that nobody
/// catches) is told in the last line of the log, when what was logged before is written: the signal, the plugin and
/// service that ran on the thread as far as it is known, where the code was, and what to do. The process ends as it
/// would have without: by the signal, with a core dump where there is to be one. Once in a process, in `main`; a
/// program that embeds a host has its own ways. Threads that may overflow their stack need an AlternateStack. In a
/// build with sanitizers nothing happens: their own report says more.
void report_crashes(const Logs& logs) noexcept;

}  // namespace busbar::host
