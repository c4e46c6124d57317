// What addresses are, for who has nothing to do with sockets: configuration, and those who join.
#pragma once

#include <string>
#include <string_view>

namespace busbar::registry::net {

/// Whether it is an address that sockets can be bound to (`bind`) or connected to: tcp://HOST:PORT, ipc://PATH.
bool is_address(std::string_view address, bool bind);

/// Whether only this machine can reach it: a loopback address or a Unix socket (`ipc://`).
bool is_local_address(std::string_view address);

/// Whether it is tcp://NAME:PORT: the name stands for one or several IP addresses, which may change.
bool has_name(std::string_view address);
/// The host of a TCP address, without the brackets of an IPv6 address.
std::string_view host_of(std::string_view address);
/// A TCP address with another host, which may be an IPv6 address without brackets.
std::string with_host(std::string_view address, std::string_view host);

}  // namespace busbar::registry::net
