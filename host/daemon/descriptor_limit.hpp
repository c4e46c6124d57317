// How many descriptors this process may have.
#pragma once

#include <cstddef>

namespace busbar::host {

/// A host takes about half of that by itself; the rest is for the child that tries a plugin, and for the command line.
inline constexpr std::size_t kLeastDescriptors = 64;

struct DescriptorLimit {
  std::size_t needed = 0;
  std::size_t allowed = 0;  ///< from now on
  bool is_enough() const { return allowed >= needed; }
};

/// Raises the soft limit, as far as the hard one permits, to what that many other nodes and strangers take. It is never
/// lowered. Errors: std::runtime_error, for an operator, where less is allowed than a host takes by itself, before it
/// knows any other node: ZeroMQ ends the process where it lacks a descriptor in the wrong moment.
DescriptorLimit raise_descriptor_limit(unsigned max_peers, unsigned strangers);

}  // namespace busbar::host
