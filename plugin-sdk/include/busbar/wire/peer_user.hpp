// Who is at the other end of a Unix socket: for the admin socket, of which both sides look at each other.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <optional>

namespace busbar::wire {

/// The effective user of the process at the other end, as it was when that one connected or listened. Nothing: it
/// cannot be told.
inline std::optional<uid_t> user_at(int descriptor) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

}  // namespace busbar::wire
