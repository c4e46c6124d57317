// What a host cannot be without.
#pragma once

namespace busbar::host {

// Raises the soft limit of descriptors where it is lower than what a host takes by itself, before it knows any other
// node: ZeroMQ ends the process where it lacks one in the wrong moment.
// Errors: std::runtime_error, for an operator, where the hard limit does not allow that.
void require_descriptors();

}  // namespace busbar::host
