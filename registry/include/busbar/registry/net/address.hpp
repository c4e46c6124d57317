// What addresses are, for who has nothing to do with sockets: configuration, and those who join.
#pragma once

#include <string_view>

namespace busbar::registry::net {

/// Whether it is an address that sockets can be bound to (`bind`) or connected to: tcp://HOST:PORT, ipc://PATH.
bool is_address(std::string_view address, bool bind);

/// Whether only this machine can reach it: a loopback address or a Unix socket (`ipc://`).
bool is_local_address(std::string_view address);

}  // namespace busbar::registry::net
