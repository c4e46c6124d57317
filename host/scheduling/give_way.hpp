// How a thread lets those go first that serve calls.
#pragma once

namespace busbar::host {

/// From now on the calling thread leaves its processor to others that wake up, does not take it from others when it
/// does, and gets a tenth of what each of them gets where all are busy. So do the threads and processes that it starts
/// from now on; there is no way back. Where the kernel does not know or allow it, nothing changes.
void give_way() noexcept;

}  // namespace busbar::host
