// Looking at one field of an encoded map, and replacing it, without decoding the rest.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "busbar/cbor/reader.hpp"
#include "busbar/cbor/sink.hpp"

namespace busbar::cbor {
namespace detail {

/// A map's entries as they stand, and the one of a key.
struct MapParts {
  std::uint64_t count = 0;
  std::span<const std::uint8_t> entries;              // without head and break
  std::optional<std::span<const std::uint8_t>> item;  // the key's value, within `entries`
};

inline MapParts take_apart(std::span<const std::uint8_t> map, std::string_view key) {
  MapParts parts;
  Reader reader(map);
  const Head head = reader.item_head(0);
  if (head.major() != kMap) reader.fail("a map was expected");
  const std::uint8_t* first = reader.position;
  const std::uint8_t* last = first;
  for (std::uint64_t left = head.value; reader.another(head, left); last = reader.position) {
    const bool is_it = reader.key() == key;
    const std::uint8_t* value = reader.position;
    reader.skip(1);
    ++parts.count;
    if (!is_it) continue;
    if (parts.item) reader.fail("a map has a key twice");
    parts.item.emplace(value, reader.position);
  }
  reader.expect_end();
  parts.entries = {first, last};
  return parts;
}

}  // namespace detail

/// The value of a field of a map, as one encoded item; nothing when there is none, or `map` is empty.
/// Ownership: part of `map`.
/// Errors: MalformedPayload when `map` is not a whole map.
inline std::optional<std::span<const std::uint8_t>> find_field(std::span<const std::uint8_t> map,
                                                               std::string_view key) {
  if (map.empty()) return std::nullopt;
  return detail::take_apart(map, key).item;
}

/// The map with one field put or replaced; an empty `map` counts as one without fields.
/// Errors: MalformedPayload when `map` is not a whole map or `item` not one item; EncodeError when `key` is not UTF-8.
inline std::vector<std::uint8_t> with_field(std::span<const std::uint8_t> map, std::string_view key,
                                            std::span<const std::uint8_t> item) {
  if (!detail::is_utf8(key.data(), key.size()))
    throw EncodeError("could not write a key to a payload: it is not valid UTF-8");
  detail::Reader reader(item);
  reader.skip(1);
  reader.expect_end();
  const detail::MapParts parts = map.empty() ? detail::MapParts{} : detail::take_apart(map, key);
  ByteSink sink;
  detail::write_head(sink, detail::kMap, parts.count + (parts.item ? 0 : 1));
  if (parts.item) {
    const std::uint8_t* behind = parts.item->data() + parts.item->size();
    sink.append(parts.entries.data(), static_cast<std::size_t>(parts.item->data() - parts.entries.data()));
    sink.append(item.data(), item.size());
    sink.append(behind, static_cast<std::size_t>(parts.entries.data() + parts.entries.size() - behind));
  } else {
    sink.append(parts.entries.data(), parts.entries.size());
    detail::write_head(sink, detail::kText, key.size());
    sink.append(key.data(), key.size());
    sink.append(item.data(), item.size());
  }
  return sink.take();
}

}  // namespace busbar::cbor
