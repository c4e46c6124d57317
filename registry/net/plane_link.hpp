// A link of the registry's plane: the connection to an address that this node dials.
#pragma once

#include "net/plane.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace busbar::registry::net {

inline constexpr const char* kTakenAway = "its key is not in security.authorized any more";

struct Plane::Link {
  Link(zmq::context_t& context, const SocketOptions& options, const Curve* curve, Dial given)
      : socket(make_dealer(context, options, curve)), monitor(context, socket), dial(std::move(given)) {}
  /// What is told of it comes under this number from now on.
  void watch_as(const Watch& watch, std::uint64_t token) {
    watched_socket.reset();
    watched_monitor.reset();
    watched_socket.emplace(watch, socket.get(zmq::sockopt::fd), token);
    watched_monitor.emplace(watch, monitor.socket().get(zmq::sockopt::fd), token);
  }
  /// Null: without keys.
  const keys::PublicKey* server() const { return dial.next == 0 ? nullptr : &dial.keys[dial.next - 1]; }

  zmq::socket_t socket;
  Monitor monitor;
  std::optional<Watch::Entry> watched_socket;
  std::optional<Watch::Entry> watched_monitor;
  Dial dial;
  std::shared_ptr<const keys::OwnKey> own{};  // with which it was made; null: without keys
  std::string name{};                         // up: of whom the key there is
  bool up = false;
};

}  // namespace busbar::registry::net
