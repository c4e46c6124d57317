// Answers that wait for one requester, packed into the frames that they will leave in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace busbar::host {

/// One ZeroMQ frame in the making: envelopes, one behind the other.
struct AnswerFrame {
  std::vector<std::uint8_t> bytes;
  std::size_t envelopes = 0;
};

/// In their order. Memory is held only while something waits.
/// Threads: one at a time.
class AnswerFrames {
 public:
  // An envelope joins others up to here; one that is larger by itself has a frame of its own.
  static constexpr std::size_t kMostEnvelopes = 64;
  static constexpr std::size_t kMostBytes = 32 * 1024;

  /// `max_message`: what the other side accepts, in bytes. Errors: std::bad_alloc, then nothing has changed.
  void append(std::span<const std::uint8_t> envelope, std::size_t max_message);

  /// Everything, for `empty` memory that is used from now on.
  std::vector<AnswerFrame> take(std::vector<AnswerFrame> empty) noexcept;
  /// What could not be sent of what was taken, from `first` on: before all that came since. Errors: std::bad_alloc.
  void put_back(std::vector<AnswerFrame>& taken, std::size_t first);

  std::size_t envelopes() const noexcept;

 private:
  std::vector<AnswerFrame> frames_;
};

}  // namespace busbar::host
