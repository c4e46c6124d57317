// Reading CBOR items from bytes that nobody vouches for.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "busbar/cbor/errors.hpp"
#include "busbar/cbor/sink.hpp"
#include "busbar/cbor/text.hpp"

namespace busbar::cbor::detail {

/// An item's first bytes: its kind, and the number that goes with it.
struct Head {
  std::uint8_t first;   // the first byte as it stands
  std::uint64_t value;  // number, length, count, tag, or a float's bits; meaningless when `indefinite`

  Major major() const noexcept { return static_cast<Major>(first & 0xE0); }
  bool indefinite() const noexcept { return (first & 0x1F) == 31; }
};

/// The bits of a half, single or double head as a double.
inline double to_double(const Head& head) noexcept {
  if (head.first == kDouble) return std::bit_cast<double>(head.value);
  if (head.first == kFloat) return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(head.value)));
  const auto exponent = static_cast<int>(head.value >> 10 & 0x1F);
  const auto fraction = static_cast<double>(head.value & 0x3FF);
  double value = std::numeric_limits<double>::infinity();
  if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else if (exponent != 31) {
    value = std::ldexp(fraction + 1024, exponent - 25);
  } else if (fraction != 0) {
    value = std::numeric_limits<double>::quiet_NaN();
  }
  return (head.value & 0x8000) != 0 ? -value : value;
}

inline bool is_float(const Head& head) noexcept { return head.first >= kHalf && head.first <= kDouble; }

/// A position in bytes, and what can be read there. Everything is checked against the bytes that are left, so a length
/// that lies cannot make it allocate; recursion ends at kMaxDepth.
/// Errors: MalformedPayload, after which the reader is of no use.
class Reader {
 public:
  /// `subject` is what its errors say could not be read; a text that outlives the reader.
  explicit Reader(std::span<const std::uint8_t> bytes, const char* subject = "the payload")
      : begin(bytes.data()), position(bytes.data()), end(bytes.data() + bytes.size()), subject_(subject) {
    if (bytes.size() > std::numeric_limits<std::uint32_t>::max()) fail("it is larger than 4 GiB");
  }

  std::size_t left() const noexcept { return static_cast<std::size_t>(end - position); }

  /// The head of the next item. Lengths and counts in it are possible: no more than the bytes left.
  Head head() {
    if (position == end) [[unlikely]]
      fail("it ends where an item was expected");
    const std::uint8_t first = *position;
    const unsigned info = first & 0x1Fu;
    Head result{first, info};
    if (info < 24) {
      ++position;
    } else {
      long_head(result, info);
    }
    const Major major = result.major();
    if (major >= kBytes && major <= kMap) check_length(result);
    return result;
  }

  /// The head of the next item with its tags passed over.
  /// At most as many tags in a row as may still be nested: there is no use for more, and a reader of its own might
  /// nest.
  Head item_head(unsigned depth) {
    Head result = head();
    while (result.major() == kTag) {
      if (++depth > kMaxDepth) fail("it is nested deeper than 64");
      result = head();
    }
    if (result.first == kBreak) fail("a break stands where an item was expected");
    return result;
  }

  /// Passes over one item, checking all of it. `depth` is the number of arrays and maps that are open around it.
  void skip(unsigned depth) { skip_body(item_head(depth), depth); }

  inline void skip_body(const Head& item, unsigned depth);

  /// Whether an array or map has another element; `left_over` begins as its count. Takes the break that ends an
  /// indefinite one.
  bool another(const Head& container, std::uint64_t& left_over) {
    if (!container.indefinite()) return left_over-- != 0;
    if (position != end && *position == kBreak) {
      ++position;
      return false;
    }
    return true;
  }

  /// The text of a definite length whose head was read.
  std::string_view text_body(const Head& item) {
    const std::string_view text(reinterpret_cast<const char*>(position), static_cast<std::size_t>(item.value));
    if (!is_utf8(text.data(), text.size())) [[unlikely]]
      fail("a text is not valid UTF-8");
    position += text.size();
    return text;
  }

  /// Calls `take(data, size)` for each piece of a text or of bytes; a definite one is one piece.
  template <class Take>
  void pieces(const Head& item, Take take) {
    if (!item.indefinite()) return one_piece(item, take);
    for (std::uint64_t none = 0; another(item, none);) {
      const Head piece = head();
      if (piece.major() != item.major() || piece.indefinite())
        fail("a text or bytes in pieces has a piece of another kind");
      one_piece(piece, take);
    }
  }

  /// A map's key: a text in one piece.
  std::string_view key() {
    const Head item = head();
    if (item.major() != kText) fail("a key of a map is not text");
    if (item.indefinite()) fail("a key of a map comes in pieces");
    return text_body(item);
  }

  void enter(unsigned depth) const {
    if (depth >= kMaxDepth) [[unlikely]]
      fail("it is nested deeper than 64");
  }

  void expect_end() const {
    if (position != end) [[unlikely]]
      fail("bytes follow its one item");
  }

  [[noreturn, gnu::noinline, gnu::cold]] void fail(const char* what) const {
    throw MalformedPayload("could not read " + std::string(subject_) + ": " + what + " (byte " +
                           std::to_string(position - begin) + " of " + std::to_string(end - begin) + ")");
  }

  const std::uint8_t* begin;
  const std::uint8_t* position;
  const std::uint8_t* end;

 private:
  void long_head(Head& result, unsigned info) {
    if (info == 31) {
      const bool may_be = (result.major() >= kBytes && result.major() <= kMap) || result.first == kBreak;
      if (!may_be) fail("an item has a head that CBOR does not know");
      ++position;
      return;
    }
    if (info > 27) fail("an item has a head that CBOR does not know");
    const std::size_t size = std::size_t{1} << (info - 24);
    if (left() < 1 + size) fail("it ends inside an item");
    const std::uint8_t* number = position + 1;
    position += 1 + size;
    if (size == 8) {
      result.value = get_number<std::uint64_t>(number);
    } else if (size == 4) {
      result.value = get_number<std::uint32_t>(number);
    } else if (size == 2) {
      result.value = get_number<std::uint16_t>(number);
    } else {
      result.value = *number;
      if (result.major() == kSimple && result.value < 32) fail("a simple value has a head that CBOR does not know");
    }
  }

  void check_length(const Head& item) const {
    const std::uint64_t smallest = item.major() == kMap ? 2 : 1;
    if (!item.indefinite() && item.value > left() / smallest) [[unlikely]]
      fail("a length or a count is larger than what is left of it");
  }

  template <class Take>
  void one_piece(const Head& item, Take& take) {
    if (item.major() == kText) {
      const std::string_view text = text_body(item);
      take(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    } else {
      take(position, static_cast<std::size_t>(item.value));
      position += item.value;
    }
  }

  const char* subject_;
};

/// Where the entries of one map are, and the proof that no key comes twice. Four bytes an entry, none on the heap up to
/// 32 entries.
class KeyIndex {
 public:
  /// Reads the map whose head was read, from its first key to behind its end. `depth` counts this map too.
  /// Reserves nothing by the map's count: sixty-four nested maps could all claim what is left.
  void build(Reader& reader, const Head& map, unsigned depth) {
    base_ = reader.begin;
    for (std::uint64_t left = map.value; reader.another(map, left);) {
      add(static_cast<std::uint32_t>(reader.position - reader.begin));
      reader.key();
      reader.skip(depth);
    }
    if (has_duplicate()) reader.fail("a map has a key twice");
  }

  /// The value of a key, or null.
  const std::uint8_t* find(std::string_view name) const {
    const std::uint32_t* first = offsets();
    const std::uint32_t* last = first + size_;
    if (size_ <= kFew) {
      first = std::find_if(first, last, [&](std::uint32_t offset) { return key_at(offset) == name; });
    } else {
      first = std::lower_bound(first, last, name,
                               [&](std::uint32_t offset, std::string_view wanted) { return key_at(offset) < wanted; });
    }
    if (first == last) return nullptr;
    const std::string_view found = key_at(*first);
    return found == name ? reinterpret_cast<const std::uint8_t*>(found.data() + found.size()) : nullptr;
  }

 private:
  enum : std::size_t { kFew = 32 };

  const std::uint32_t* offsets() const noexcept { return size_ <= kFew ? few_ : many_.data(); }

  void add(std::uint32_t offset) {
    if (size_ < kFew) {
      few_[size_] = offset;
    } else {
      if (size_ == kFew) many_.assign(few_, few_ + kFew);
      many_.push_back(offset);
    }
    ++size_;
  }

  // Of a key that was checked.
  std::string_view key_at(std::uint32_t offset) const noexcept {
    const std::uint8_t* at = base_ + offset;
    const unsigned info = *at++ & 0x1Fu;
    std::uint64_t size = info;
    if (info >= 24) {
      size = 0;
      for (unsigned bytes = 1u << (info - 24); bytes != 0; --bytes) size = size << 8 | *at++;
    }
    return {reinterpret_cast<const char*>(at), static_cast<std::size_t>(size)};
  }

  bool has_duplicate() {
    if (size_ <= kFew) {
      for (std::size_t i = 1; i < size_; ++i)
        for (std::size_t k = 0; k < i; ++k)
          if (key_at(few_[i]) == key_at(few_[k])) return true;
      return false;
    }
    std::sort(many_.begin(), many_.end(), [&](auto a, auto b) { return key_at(a) < key_at(b); });
    return std::adjacent_find(many_.begin(), many_.end(), [&](auto a, auto b) { return key_at(a) == key_at(b); }) !=
           many_.end();
  }

  const std::uint8_t* base_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t few_[kFew];
  std::vector<std::uint32_t> many_;  // sorted by key once built
};

inline void Reader::skip_body(const Head& item, unsigned depth) {
  switch (item.major()) {
    case kBytes:
    case kText:
      pieces(item, [](const std::uint8_t*, std::size_t) {});
      return;
    case kArray:
      enter(depth);
      for (std::uint64_t rest = item.value; another(item, rest);) skip(depth + 1);
      return;
    case kMap: {
      enter(depth);
      KeyIndex index;
      index.build(*this, item, depth + 1);
      return;
    }
    default:
      return;  // numbers and simple values are all head
  }
}

}  // namespace busbar::cbor::detail

namespace busbar::cbor {

/// Checks that the bytes are one whole payload: one CBOR item and nothing behind it, texts in UTF-8, keys of maps text
/// and never twice, nothing nested deeper than 64. Definite and indefinite lengths are both good; tags are passed over.
/// Errors: MalformedPayload.
inline void check_well_formed(std::span<const std::uint8_t> bytes) {
  detail::Reader reader(bytes);
  reader.skip(0);
  reader.expect_end();
}

}  // namespace busbar::cbor
