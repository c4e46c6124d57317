// Who comes in where keys are asked for: ZeroMQ's authentication protocol (RFC 27, ZAP) for the sockets of one context.
#pragma once

#include <busbar/keys/key.hpp>

#include <functional>
#include <memory>
#include <string_view>

#include <zmq.hpp>

namespace busbar::registry::net {

/// Made before any socket of its context is bound; ends after they are closed and before the context does.
/// Answers "yes" or "no" and nothing else, as libzmq leaves whom it tells to come later without any answer.
/// Threads: one of its own, "busbar-gate", which waits for nothing but the next who knocks: as long as it does not
/// answer, no handshake goes on. Should it fail, it says so and begins anew.
class Gatekeeper {
 public:
  /// Whether the holder of a key may come in. `domain`: of the socket's Curve. `address`: an IP address; empty for a
  /// Unix socket. On the gatekeeper's thread; must be short.
  using Decide = std::function<bool(std::string_view domain, const keys::PublicKey& key, std::string_view address)>;
  /// Something went wrong with it. On its thread.
  using Fault = std::function<void(std::string_view what)>;

  /// Errors: SocketError.
  Gatekeeper(zmq::context_t& context, Decide decide, Fault fault);
  ~Gatekeeper();
  Gatekeeper(const Gatekeeper&) = delete;
  Gatekeeper& operator=(const Gatekeeper&) = delete;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace busbar::registry::net
