// What of a service's providers is there for whom.
#pragma once

#include <busbar/registry/service_table.hpp>

#include <cstdint>
#include <span>

namespace busbar::host {

/// Where a call begins: at this node, which its admin socket is a part of, or at somebody who has connected to it.
enum class CallerIs : std::uint8_t { here, outside };

/// Ownership: points into the entry.
struct Reachable {
  registry::LocalProvider* local = nullptr;
  std::span<const registry::RemoteProvider> remote{};

  bool nobody() const noexcept { return local == nullptr && remote.empty(); }
};

/// Whether such a caller may call it: private ones are for callers here alone (C-R1).
inline bool is_for(const registry::LocalProvider& local, CallerIs caller) noexcept {
  return caller == CallerIs::here || local.visibility() == registry::Visibility::public_;
}

/// A private service that is for the caller hides those of its name at other nodes (C-D12); for all others it is not
/// there, and so hides nothing.
inline Reachable reachable(const registry::ServiceEntry* entry, CallerIs caller) noexcept {
  if (entry == nullptr) return {};
  registry::LocalProvider* const local = entry->local.get();
  if (local == nullptr || !is_for(*local, caller)) return {nullptr, entry->remote};
  if (local->visibility() == registry::Visibility::private_) return {local, {}};
  return {local, entry->remote};
}

}  // namespace busbar::host
