// Where encoded bytes go.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "busbar/abi.h"

namespace busbar {

/// Memory for bytes that grows without being cleared, and can be handed on without being copied.
/// Ownership: owns its memory (malloc's), unless `release` has given it away.
class Block {
 public:
  Block() noexcept = default;
  Block(Block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {}
  Block& operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Block() { std::free(data_); }

  std::uint8_t* data() const noexcept { return data_; }
  std::size_t capacity() const noexcept { return capacity_; }
  /// Keeps what is there; the memory may move. Errors: std::bad_alloc, then nothing has changed.
  void grow(std::size_t capacity) {
    void* moved = data_ == nullptr ? std::malloc(capacity) : std::realloc(data_, capacity);  // the usual one is quicker
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<std::uint8_t*>(moved);
    capacity_ = capacity;
  }
  /// To be freed with std::free by whoever asked.
  std::uint8_t* release() noexcept {
    capacity_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace busbar

namespace busbar::cbor {

/// Bytes that grow at their end: in storage of its own, or in a host's `busbar_buffer`.
/// Ownership: borrows the buffer, which must outlive the sink. The buffer's `size` is right after `commit` or the
///   sink's destruction; until then only the sink may touch it.
/// Errors: std::bad_alloc when there is no memory.
class ByteSink {
 public:
  ByteSink() = default;

  /// Appends to what the buffer already holds.
  explicit ByteSink(busbar_buffer& buffer) noexcept
      : buffer_(&buffer),
        begin_(buffer.data),
        position_(buffer.data + buffer.size),
        end_(buffer.data + buffer.capacity),
        start_(buffer.size) {}

  ByteSink(const ByteSink&) = delete;
  ByteSink& operator=(const ByteSink&) = delete;
  ~ByteSink() { commit(); }

  /// Room for `count` more bytes, to be written there and then taken over with `advance_to`. Valid until the next call.
  [[gnu::always_inline]] std::uint8_t* reserve(std::size_t count) {
    if (static_cast<std::size_t>(end_ - position_) < count) [[unlikely]]
      grow(count);
    return position_;
  }
  [[gnu::always_inline]] void advance_to(std::uint8_t* position) noexcept { position_ = position; }

  void append(const void* data, std::size_t size) {
    std::uint8_t* to = reserve(size);
    if (size != 0) std::memcpy(to, data, size);
    advance_to(to + size);
  }

  /// All bytes so far, those included that a buffer held at first.
  std::size_t size() const noexcept { return static_cast<std::size_t>(position_ - begin_); }
  std::uint8_t* data() noexcept { return begin_; }

  /// What this sink has written. Valid until the next write.
  std::span<const std::uint8_t> bytes() const noexcept { return {begin_ + start_, size() - start_}; }

  /// Forgets everything from byte `size` on; the memory is kept.
  void truncate(std::size_t size) noexcept { position_ = begin_ + size; }

  /// Forgets what this sink has written, so that it can be used again without allocating.
  void clear() noexcept { truncate(start_); }

  /// What this sink has written, as a vector; the sink is empty afterwards.
  std::vector<std::uint8_t> take() {
    const auto written = bytes();
    std::vector<std::uint8_t> copy(written.begin(), written.end());
    clear();
    return copy;
  }

  /// The memory with what was written, of a sink with storage of its own; the sink is empty afterwards.
  Block take_block() noexcept {
    begin_ = position_ = end_ = nullptr;
    return std::move(storage_);
  }

  /// Tells the buffer how much of it is filled.
  void commit() noexcept {
    if (buffer_ != nullptr) buffer_->size = size();
  }

 private:
  [[gnu::noinline, gnu::cold]] void grow(std::size_t count) {
    const std::size_t filled = size();
    const std::size_t doubled = 2 * static_cast<std::size_t>(end_ - begin_);
    const std::size_t smallest = 256;
    const std::size_t wanted = std::max({filled + count, doubled, smallest});
    if (buffer_ == nullptr) {
      storage_.grow(wanted);
      begin_ = storage_.data();
      end_ = begin_ + storage_.capacity();
    } else {
      commit();
      if (buffer_->grow(buffer_, wanted) != 0) throw std::bad_alloc();
      begin_ = buffer_->data;
      end_ = begin_ + buffer_->capacity;
    }
    position_ = begin_ + filled;
  }

  busbar_buffer* buffer_ = nullptr;
  std::uint8_t* begin_ = nullptr;
  std::uint8_t* position_ = nullptr;
  std::uint8_t* end_ = nullptr;
  std::size_t start_ = 0;
  Block storage_;
};

namespace detail {

// The major types, already in the top three bits of an item's first byte.
enum Major : std::uint8_t {
  kUnsigned = 0x00,
  kNegative = 0x20,
  kBytes = 0x40,
  kText = 0x60,
  kArray = 0x80,
  kMap = 0xA0,
  kTag = 0xC0,
  kSimple = 0xE0
};

enum FirstByte : std::uint8_t {
  kFalse = 0xF4,
  kTrue = 0xF5,
  kNull = 0xF6,
  kUndefined = 0xF7,
  kHalf = 0xF9,
  kFloat = 0xFA,
  kDouble = 0xFB,
  kBreak = 0xFF
};

enum Limits : unsigned { kMaxDepth = 64, kMaxHead = 9 };

/// Big-endian, as CBOR has it.
template <class U>
std::uint8_t* put_number(std::uint8_t* to, U value) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(U) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(U) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(U) == 8) value = __builtin_bswap64(value);
  }
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

template <class U>
U get_number(const std::uint8_t* from) noexcept {
  U value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(U) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(U) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(U) == 8) value = __builtin_bswap64(value);
  }
  return value;
}

inline std::uint8_t* put_long_head(std::uint8_t* to, Major major, std::uint64_t value) noexcept {
  if (value <= 0xFF) {
    *to++ = static_cast<std::uint8_t>(major | 24);
    return put_number(to, static_cast<std::uint8_t>(value));
  }
  if (value <= 0xFFFF) {
    *to++ = static_cast<std::uint8_t>(major | 25);
    return put_number(to, static_cast<std::uint16_t>(value));
  }
  if (value <= 0xFFFFFFFF) {
    *to++ = static_cast<std::uint8_t>(major | 26);
    return put_number(to, static_cast<std::uint32_t>(value));
  }
  *to++ = static_cast<std::uint8_t>(major | 27);
  return put_number(to, value);
}

/// An item's head in its shortest form: at most kMaxHead bytes.
[[gnu::always_inline]] inline std::uint8_t* put_head(std::uint8_t* to, Major major, std::uint64_t value) noexcept {
  if (value < 24) {
    *to = static_cast<std::uint8_t>(major | value);
    return to + 1;
  }
  return put_long_head(to, major, value);
}

inline void write_head(ByteSink& sink, Major major, std::uint64_t value) {
  sink.advance_to(put_head(sink.reserve(kMaxHead), major, value));
}

inline void write_byte(ByteSink& sink, std::uint8_t byte) {
  std::uint8_t* to = sink.reserve(1);
  *to = byte;
  sink.advance_to(to + 1);
}

/// Sets the count of an array or map whose one-byte head stands at `offset`, moving what follows if it needs more.
inline void patch_head(ByteSink& sink, std::size_t offset, Major major, std::uint64_t count) {
  if (count < 24) [[likely]] {
    sink.data()[offset] = static_cast<std::uint8_t>(major | count);
    return;
  }
  std::uint8_t head[kMaxHead];
  const auto head_size = static_cast<std::size_t>(put_head(head, major, count) - head);
  std::uint8_t* end = sink.reserve(kMaxHead);
  std::uint8_t* at = sink.data() + offset;
  std::memmove(at + head_size, at + 1, static_cast<std::size_t>(end - at) - 1);
  std::memcpy(at, head, head_size);
  sink.advance_to(end + head_size - 1);
}

}  // namespace detail
}  // namespace busbar::cbor
