// How one of several remote providers is picked (C-D3).
#pragma once

#include <busbar/message.hpp>
#include <busbar/registry/service_table.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "dispatch/peer.hpp"

namespace busbar::host {

using registry::Strategy;

/// What a caller says about it. Ownership: borrows the key.
struct Preference {
  Strategy strategy = Strategy::standard;  ///< standard: as the service says
  std::string_view sticky_key = {};        ///< sticky: empty for the value that the service says
};

/// Picks among those for which `may` holds, as the caller wants it, else the service, else at random; null: there is
/// none. Sticky without a key, because the request does not have the field, is random. Threads: any.
const registry::RemoteProvider* pick(std::span<const registry::RemoteProvider> providers, const Preference& preference,
                                     const Message& message,
                                     const std::function<bool(const registry::RemoteNode&)>& may);

/// The boundary's number; one of a later minor version is standard.
constexpr Strategy strategy_of(std::uint32_t abi) noexcept {
  return abi <= BUSBAR_STRATEGY_STICKY ? static_cast<Strategy>(abi) : Strategy::standard;
}

/// How much a key wants to be at a node: it goes to the one with the most, and when that leaves only its keys move
/// (rendezvous hashing: Thaler and Ravishankar 1998). The same on every node and in every build.
std::uint64_t affinity(std::string_view key, std::string_view node) noexcept;

}  // namespace busbar::host
