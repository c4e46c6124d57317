#include "dispatch/strategy.hpp"

#include <busbar/cbor/cbor.hpp>

#include <random>

namespace busbar::host {

namespace {

using registry::RemoteProvider;

// Evenly distributed enough to share calls out; a generator of the thread's own costs no lock (xorshift, Marsaglia
// 2003).
std::size_t random_below(std::size_t bound) {
  static thread_local std::uint64_t state = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}() | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<std::size_t>(state % bound);
}

// The value of a field of the raw request: of a text its characters, so that a caller can name the same key; of
// anything else its bytes. Empty where there is none.
std::string_view field_of(const Message& message, std::string_view field) noexcept {
  try {
    if (message.raw_request().empty()) return {};
    const auto item = cbor::find_field(message.raw_request().bytes(), field);
    if (!item) return {};
    const std::string_view bytes(reinterpret_cast<const char*>(item->data()), item->size());
    cbor::detail::Reader reader(*item);
    const auto head = reader.item_head(0);
    if (head.major() != cbor::detail::kText || head.indefinite()) return bytes;
    return bytes.substr(static_cast<std::size_t>(reader.position - item->data()));
  } catch (const MalformedPayload&) {
    return {};  // for its provider to refuse
  }
}

const RemoteProvider* any(std::span<const RemoteProvider> providers, std::size_t first,
                          const std::function<bool(const registry::RemoteNode&)>& may) {
  for (std::size_t i = 0; i < providers.size(); ++i) {
    // From a random start on: the first of those left is as good as any, but for one behind many that are not left.
    const RemoteProvider& provider = providers[(first + i) % providers.size()];
    if (may(*provider.node)) return &provider;
  }
  return nullptr;
}

// From a random start on, so that equals share the calls.
template <class Better>
const RemoteProvider* best(std::span<const RemoteProvider> providers, std::size_t first,
                           const std::function<bool(const registry::RemoteNode&)>& may, Better better) {
  const RemoteProvider* found = nullptr;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    const RemoteProvider& provider = providers[(first + i) % providers.size()];
    if (may(*provider.node) && (found == nullptr || better(provider, *found))) found = &provider;
  }
  return found;
}

}  // namespace

std::uint64_t affinity(std::string_view key, std::string_view node) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  };
  add(key);
  add(std::string_view("\0", 1));  // in no node's name
  add(node);
  // What FNV does not mix: its upper bits hardly see the last characters (the finalizer of splitmix64).
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

const RemoteProvider* pick(std::span<const RemoteProvider> providers, const Preference& preference,
                           const Message& message, const std::function<bool(const registry::RemoteNode&)>& may) {
  if (providers.empty()) return nullptr;
  const std::size_t first = providers.size() == 1 ? 0 : random_below(providers.size());
  const registry::RemoteService& service = *providers.front().service;
  const Strategy strategy = preference.strategy != Strategy::standard ? preference.strategy : service.strategy;
  if (strategy == Strategy::least_pending) {
    const auto pending = [](const RemoteProvider& p) { return static_cast<const Peer&>(*p.node).pending(); };
    return best(providers, first, may, [&](const auto& a, const auto& b) { return pending(a) < pending(b); });
  }
  std::string_view key;
  if (strategy == Strategy::sticky) {
    key = !preference.sticky_key.empty() ? preference.sticky_key : field_of(message, service.sticky_field);
  }
  if (key.empty()) return any(providers, first, may);
  return best(providers, first, may, [&](const auto& a, const auto& b) {
    return affinity(key, a.node->name()) > affinity(key, b.node->name());
  });
}

}  // namespace busbar::host
