#include "dispatch/strategy.hpp"

#include <busbar/cbor/cbor.hpp>

#include <random>

namespace busbar::host {

namespace {

// FNV-1a, 64 bits.
constexpr std::uint64_t kOffset = 0xcbf29ce484222325;
constexpr std::uint64_t kPrime = 0x100000001b3;

std::uint64_t append(std::uint64_t hash, std::string_view text) noexcept {
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * kPrime;
  return hash;
}

// An item as a key; nothing for null and undefined.
std::optional<std::uint64_t> key_of(std::span<const std::uint8_t> item) {
  constexpr std::uint8_t kNull = 0xf6, kUndefined = 0xf7;
  if (item.front() == kNull || item.front() == kUndefined) return std::nullopt;
  const std::string_view bytes(reinterpret_cast<const char*>(item.data()), item.size());
  cbor::detail::Reader reader(item);
  const auto head = reader.item_head(0);
  // A text's characters alone, so that a caller can name the same key.
  if (head.major() != cbor::detail::kText || head.indefinite()) return hash_of(bytes);
  return hash_of(bytes.substr(static_cast<std::size_t>(reader.position - item.data())));
}

}  // namespace

std::uint64_t hash_of(std::string_view key) noexcept {
  return append(append(kOffset, key), std::string_view("\0", 1));  // which is in no node's name
}

std::optional<std::uint64_t> key_in(const Message& message, std::string_view field) noexcept {
  if (field.empty() || message.raw_request().empty()) return std::nullopt;
  try {
    const auto item = cbor::find_field(message.raw_request().bytes(), field);
    return item ? key_of(*item) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;  // it is no map, and its provider will say so
  }
}

std::uint64_t affinity(std::uint64_t key, std::string_view node) noexcept {
  std::uint64_t hash = append(key, node);
  // What FNV does not mix: its upper bits hardly see the last characters (the finalizer of splitmix64).
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

// A generator of the thread's own costs no lock (xorshift, Marsaglia 2003).
std::size_t random_below(std::size_t bound) {
  static thread_local std::uint64_t state = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}() | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<std::size_t>(state % bound);
}

}  // namespace busbar::host
