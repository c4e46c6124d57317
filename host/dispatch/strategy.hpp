// How one of several remote providers is picked (C-D3).
#pragma once

#include <busbar/message.hpp>
#include <busbar/registry/service_table.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "dispatch/peer.hpp"

namespace busbar::host {

/// What a caller says about it. Ownership: borrows the key.
struct Preference {
  Strategy strategy = Strategy::standard;  ///< standard: as the service says
  std::string_view sticky_key = {};        ///< sticky: empty for the value that the service says
};

/// What is decided about one pick, before it is known who is there.
struct Choice {
  Strategy strategy = Strategy::standard;  ///< standard: random
  std::optional<std::uint64_t> key{};      ///< sticky: as `hash_of` makes it; none: random
};

/// A key as a number; keys may be long. Part of docs/protocol.md, section 13, as is `affinity`: all nodes agree.
std::uint64_t hash_of(std::string_view key) noexcept;
/// The key of a request: the value of that field, of a text its characters, of anything else its bytes. Nothing where
/// the field has no name, is absent or null, or the request is no map. Threads: any. Errors: none.
std::optional<std::uint64_t> key_in(const Message& message, std::string_view field) noexcept;
/// How much a key wants to be at a node: it goes to the one with the most, and when that leaves only its keys move
/// (rendezvous hashing: Thaler and Ravishankar 1998).
std::uint64_t affinity(std::uint64_t key, std::string_view node) noexcept;

/// Evenly distributed enough to share calls out. `bound` is not 0. Threads: any.
std::size_t random_below(std::size_t bound);

/// Picks among those for which `may` (of a registry::RemoteNode) holds; null: there is none. One that is suspected of
/// being lost is picked where no other is left. Threads: any.
/// Ownership: the provider stays in `providers`.
template <class May>
const registry::RemoteProvider* pick(std::span<const registry::RemoteProvider> providers, const Choice& choice,
                                     const May& may);

namespace detail {

using registry::RemoteProvider;

template <class May>
const RemoteProvider* any(std::span<const RemoteProvider> providers, const May& may) {
  const std::size_t first = providers.size() <= 1 ? 0 : random_below(providers.size());
  for (std::size_t i = 0; i < providers.size(); ++i) {
    // From a random start on: the first of those left is as good as any, but for one behind many that are not left.
    const RemoteProvider& provider = providers[(first + i) % providers.size()];
    if (may(*provider.node)) return &provider;
  }
  return nullptr;
}

template <class May>
const RemoteProvider* least_pending(std::span<const RemoteProvider> providers, const May& may) {
  const RemoteProvider* found = nullptr;
  std::uint32_t fewest = 0;
  std::size_t equals = 0;
  for (const RemoteProvider& provider : providers) {
    if (!may(*provider.node)) continue;
    const std::uint32_t pending = static_cast<const Peer&>(*provider.node).pending();
    if (found != nullptr && pending > fewest) continue;
    equals = found != nullptr && pending == fewest ? equals + 1 : 1;
    fewest = pending;
    if (equals == 1 || random_below(equals) == 0) found = &provider;  // each of the equals as likely as the others
  }
  return found;
}

template <class May>
const RemoteProvider* sticky(std::span<const RemoteProvider> providers, std::uint64_t key, const May& may) {
  const RemoteProvider* found = nullptr;
  std::uint64_t most = 0;
  for (const RemoteProvider& provider : providers) {
    if (!may(*provider.node)) continue;
    const std::uint64_t wants = affinity(key, provider.node->name());
    if (found != nullptr && wants <= most) continue;  // of equals the first one by name
    most = wants;
    found = &provider;
  }
  return found;
}

template <class May>
const RemoteProvider* one_of(std::span<const RemoteProvider> providers, const Choice& choice, const May& may) {
  switch (choice.strategy) {
    case Strategy::least_pending:
      return least_pending(providers, may);
    case Strategy::sticky:
      if (choice.key) return sticky(providers, *choice.key, may);
      break;
    case Strategy::standard:
    case Strategy::random:
      break;
  }
  return any(providers, may);
}

}  // namespace detail

template <class May>
const registry::RemoteProvider* pick(std::span<const registry::RemoteProvider> providers, const Choice& choice,
                                     const May& may) {
  const auto trusted = [&may](const registry::RemoteNode& node) { return !node.suspected() && may(node); };
  const auto* found = detail::one_of(providers, choice, trusted);
  return found != nullptr ? found : detail::one_of(providers, choice, may);
}

}  // namespace busbar::host
