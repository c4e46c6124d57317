// Trying addresses out, as ZeroMQ would use them.
#pragma once

#include <chrono>
#include <string>

namespace busbar::host::doctor {

/// Why nothing can listen at tcp://HOST:PORT or ipc://PATH; empty: it can, or that was not to be found out (a port "*",
/// a device's name).
std::string why_not_bound(const std::string& address);

/// Why nobody takes a connection at tcp://IP:PORT or ipc://PATH; empty: somebody does.
std::string why_not_connected(const std::string& address, std::chrono::milliseconds patience);

}  // namespace busbar::host::doctor
