// What an asynchronous dispatch calls when it is done.
#pragma once

#include <busbar/message.hpp>

#include <functional>

namespace busbar::host {

/// Receives the message that came back (C-M9), exactly once, on the thread that ended the call: a pool thread, the
/// supervisor's, or the caller's own before its dispatch has returned. Must not block or throw; a blocking dispatch in
/// it answers error(would_block).
using Callback = std::function<void(Message&&)>;

}  // namespace busbar::host
