#include "transport/answer_frames.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace busbar::host {

namespace {
// What a frame has room for once a second envelope joins: most bundles are smaller.
constexpr std::size_t kBundleRoom = 4 * 1024;
}  // namespace

void AnswerFrames::append(std::span<const std::uint8_t> envelope, std::size_t max_message) {
  if (!frames_.empty()) {
    AnswerFrame& last = frames_.back();
    const std::size_t together = last.bytes.size() + envelope.size();
    if (last.envelopes < kMostEnvelopes && together <= std::min(kMostBytes, max_message)) {
      if (together > last.bytes.capacity()) {
        last.bytes.reserve(std::max({together, kBundleRoom, 2 * last.bytes.capacity()}));
      }
      last.bytes.insert(last.bytes.end(), envelope.begin(), envelope.end());
      ++last.envelopes;
      return;
    }
  }
  frames_.push_back({{envelope.begin(), envelope.end()}, 1});
}

std::vector<AnswerFrame> AnswerFrames::take(std::vector<AnswerFrame> empty) noexcept {
  return std::exchange(frames_, std::move(empty));
}

void AnswerFrames::put_back(std::vector<AnswerFrame>& taken, std::size_t first) {
  frames_.insert(frames_.begin(), std::make_move_iterator(taken.begin() + static_cast<std::ptrdiff_t>(first)),
                 std::make_move_iterator(taken.end()));
}

std::size_t AnswerFrames::envelopes() const noexcept {
  std::size_t count = 0;
  for (const AnswerFrame& frame : frames_) count += frame.envelopes;
  return count;
}

}  // namespace busbar::host
