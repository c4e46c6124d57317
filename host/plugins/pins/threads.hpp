// Which threads of the process a plugin has started.
//
// The program's own pthread_create and thrd_create stand before the system's, and note for each thread by whose code it
// was started: the return addresses on the stack of who created it, up to the first one in this program. What a thread
// starts that itself was started by a plugin is that plugin's too, whatever library does it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "plugins/pins/address_range.hpp"

namespace busbar::host {

struct LiveThread {
  pid_t id = 0;      ///< 0: it has not begun yet
  std::string name;  ///< as the system shows it
};

/// Whether it is known who starts threads: libraries find our version. Not so in a build with sanitizers, nor where the
/// host is part of a shared library.
bool watches_threads() noexcept;

/// The threads that live and were started by code that lies there. Threads: any.
std::vector<LiveThread> threads_started_in(const std::vector<AddressRange>& code);

}  // namespace busbar::host
