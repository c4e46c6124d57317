// How a thread lets others go first.
#pragma once

namespace busbar::host {

/// From now on the calling thread gets what others leave of a processor, and is off it soon when they want it: writing
/// the metrics of a thousand services keeps one busy for some milliseconds. Where the kernel does not allow it, nothing
/// changes.
void give_way() noexcept;

}  // namespace busbar::host
