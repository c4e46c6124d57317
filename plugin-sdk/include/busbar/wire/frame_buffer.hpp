// Putting frames together from what arrives.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "busbar/wire/admin.hpp"

namespace busbar::wire {

/// One frame at a time: bytes are read into `room()` and told of with `arrived()`, until it is `complete()`.
/// It has room for what was announced only as far as bytes have come, so that a length alone costs no memory.
/// Threads: one at a time.
class FrameBuffer {
 public:
  explicit FrameBuffer(std::size_t longest) noexcept : longest_(longest) {}

  /// Where the next bytes of this frame go; never beyond its end, and never empty before it is complete or too long.
  std::span<std::uint8_t> room() {
    if (head_filled_ < kFrameHead) return std::span(head_).subspan(head_filled_);
    const std::size_t chunk = std::min(announced() - filled_, std::max(filled_, kSmallestChunk));
    if (body_.size() < filled_ + chunk) body_.resize(filled_ + chunk);
    return std::span(body_).subspan(filled_, chunk);
  }

  void arrived(std::size_t size) noexcept { (head_filled_ < kFrameHead ? head_filled_ : filled_) += size; }

  /// The length that is announced, 0 while it is not known.
  std::size_t announced() const noexcept { return head_filled_ < kFrameHead ? 0 : announced_length(head_.data()); }
  bool too_long() const noexcept { return announced() > longest_; }
  bool complete() const noexcept { return head_filled_ == kFrameHead && !too_long() && filled_ == announced(); }
  /// Whether anything of a frame has come.
  bool begun() const noexcept { return head_filled_ != 0; }

  /// What is in the complete frame; the next one begins.
  std::vector<std::uint8_t> take() {
    body_.resize(filled_);
    head_filled_ = filled_ = 0;
    return std::exchange(body_, {});
  }

 private:
  static constexpr std::size_t kSmallestChunk = 64 * 1024;

  const std::size_t longest_;
  std::array<std::uint8_t, kFrameHead> head_{};
  std::size_t head_filled_ = 0;
  std::vector<std::uint8_t> body_;
  std::size_t filled_ = 0;
};

}  // namespace busbar::wire
