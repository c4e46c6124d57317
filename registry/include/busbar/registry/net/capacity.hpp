// What other nodes cost in sockets and descriptors: for the limits that are set by how many there may be.
#pragma once

#include <cstddef>

namespace busbar::registry::net {

/// A connection that this node opens takes three ZeroMQ sockets: its DEALER, and both ends of its monitor. Each has one
/// descriptor, by which it is woken, and the connection itself is one.
inline constexpr unsigned kSocketsPerLink = 3;
inline constexpr unsigned kDescriptorsPerLink = kSocketsPerLink + 1;
/// One that is opened to this node's ROUTER is a descriptor alone.
inline constexpr unsigned kDescriptorsPerCaller = 1;
/// On each of the two planes one is opened in each direction; and on that for calls whoever works a connection is woken
/// by a descriptor of its own. (A test of real hosts counts them.)
inline constexpr unsigned kDescriptorsPerPeer = 2 * (kDescriptorsPerLink + kDescriptorsPerCaller) + 1;

/// Addresses that a node dials at a time: those of its peers, and as many that are gone and may come back.
constexpr std::size_t addresses_for(unsigned max_peers) { return 2 * std::size_t{max_peers} + 100; }

/// Connections that others have opened to a node's registry: before the end of one is known the next is there, and
/// whoever is refused has had one.
constexpr std::size_t callers_for(unsigned max_peers) { return 4 * std::size_t{max_peers} + 1'000; }

/// Of the context of one plane. Sockets that are closed have their place until libzmq has seen to them, while others
/// are there in their stead already: so half as many more.
constexpr int sockets_for(unsigned max_peers) {
  return static_cast<int>(kSocketsPerLink * addresses_for(max_peers) * 3 / 2);
}

/// Of the process: for peers a quarter more than they take, for connections that end while others are there already,
/// and for addresses where nobody is; what strangers may take on each of the two planes (limits.strangers); and what
/// plugins, clients and the process itself take.
constexpr std::size_t descriptors_for(unsigned max_peers, unsigned strangers) {
  constexpr std::size_t kOthers = 500;
  return std::size_t{kDescriptorsPerPeer} * max_peers * 5 / 4 + 2 * std::size_t{strangers} + kOthers;
}

/// How many strangers a plane may have where fewer descriptors are allowed than that: an eighth of them.
constexpr unsigned strangers_within(std::size_t descriptors) { return static_cast<unsigned>(descriptors / 8); }

}  // namespace busbar::registry::net
