// What a plugin may ask of its host, as the table of C functions that `create` is given.
#pragma once

#include <busbar/abi.h>

namespace busbar::host {

class Instance;

/// The table for one plugin. Ownership: its context is the instance, which outlives the plugin's object.
busbar_host make_host_table(Instance& instance) noexcept;

}  // namespace busbar::host
