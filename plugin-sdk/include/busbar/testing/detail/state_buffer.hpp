// Where a router under test writes its state.
#pragma once

#include <busbar/abi.h>

#include <cstdint>
#include <new>
#include <vector>

namespace busbar::kit::detail {

/// Ownership: the bytes. Threads: one.
class StateBuffer {
 public:
  StateBuffer() noexcept : c_buffer_{} { c_buffer_.grow = &grow; }
  StateBuffer(const StateBuffer&) = delete;
  StateBuffer& operator=(const StateBuffer&) = delete;

  busbar_buffer* c_buffer() noexcept { return &c_buffer_; }
  busbar_bytes bytes() const noexcept { return {c_buffer_.data, c_buffer_.size}; }

 private:
  static int grow(busbar_buffer* self, std::size_t capacity) {
    auto& buffer = *reinterpret_cast<StateBuffer*>(self);  // its first member
    try {
      if (capacity > buffer.bytes_.size()) buffer.bytes_.resize(capacity);
    } catch (const std::bad_alloc&) {
      return -1;
    }
    self->data = buffer.bytes_.data();
    self->capacity = buffer.bytes_.size();
    return 0;
  }

  busbar_buffer c_buffer_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace busbar::kit::detail
