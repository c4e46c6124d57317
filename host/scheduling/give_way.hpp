// How a thread lets those go first that serve calls.
#pragma once

namespace busbar::host {

/// From now on the calling thread is off its processor as soon as another one wants that, never takes it from another
/// one, and gets less of it than others. So are the threads and processes that it starts from now on; there is no way
/// back. Where the kernel does not know or allow it, nothing changes.
void give_way() noexcept;

}  // namespace busbar::host
