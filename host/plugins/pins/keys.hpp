// Which thread-specific keys have a plugin's function as their destructor: the system calls it whenever a thread ends
// that has set the key. The program's own pthread_key_create and tss_create stand before the system's, to know.
#pragma once

#include <vector>

#include "plugins/pins/address_range.hpp"

namespace busbar::host {

/// The destructors, of keys that have not been deleted, that lie there. Threads: any.
std::vector<const void*> key_destructors_in(const std::vector<AddressRange>& code);

}  // namespace busbar::host
