// Another key for a ROUTER that others are connected to.
#pragma once

#include <busbar/keys/key.hpp>

#include <zmq.hpp>

namespace busbar::registry::net {

/// Who connects to the ROUTER from now on meets that key; the connections that stand go on with the one before, and so
/// does the address. Errors: SocketError, then nothing has changed. Threads: as for the socket.
///
/// libzmq takes what it listens with, the key too, when it is bound, and ends a listener's connections with it. So a
/// second listener is bound to the same port, and the kernel gives it all connections; the one before stays as long as
/// the socket (decision 0021).
void take_key(zmq::socket_t& router, const keys::SecretKey& key);

}  // namespace busbar::registry::net
