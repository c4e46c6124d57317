// What an input says, byte by byte: how the fuzzers that do rather than read take their inputs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

namespace busbar::fuzz {

using Bytes = std::span<const std::uint8_t>;

/// Where the bytes are over it goes on with zeros: what 0 stands for should be the usual.
/// Ownership: borrows the bytes.
class Choices {
 public:
  explicit Choices(Bytes bytes) noexcept : rest_(bytes) {}

  bool over() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  unsigned below(unsigned limit) noexcept { return byte() % limit; }
  bool flip() noexcept { return (byte() & 1) != 0; }

  /// A length in one byte, and so many bytes, as far as they are there.
  Bytes some() noexcept { return take(byte()); }
  Bytes take(std::size_t size) noexcept {
    const Bytes first = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(first.size());
    return first;
  }
  Bytes all() noexcept { return take(rest_.size()); }

  /// Most often one of those at which things turn.
  template <class Number>
  Number number() noexcept {
    switch (below(6)) {
      case 0:
        return 0;
      case 1:
        return 1;
      case 2:
        return std::numeric_limits<Number>::max();
      case 3:
        return std::numeric_limits<Number>::min();
      case 4:
        return static_cast<Number>(byte());
      default:
        Number out{};
        const Bytes from = take(sizeof out);
        if (!from.empty()) std::memcpy(&out, from.data(), from.size());
        return out;
    }
  }

  /// One of a list.
  template <class List>
  const auto& one_of(const List& list) noexcept {
    return list[below(static_cast<unsigned>(std::size(list)))];
  }

 private:
  Bytes rest_;
};

}  // namespace busbar::fuzz
