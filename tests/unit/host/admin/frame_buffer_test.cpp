#include <gtest/gtest.h>
#include <busbar/wire/frame_buffer.hpp>

#include <algorithm>

namespace busbar::wire {
namespace {

// Puts bytes in, as many at a time as there is room for, but at most `step`; returns how many were taken.
std::size_t feed(FrameBuffer& buffer, const std::vector<std::uint8_t>& bytes, std::size_t step) {
  std::size_t at = 0;
  while (at < bytes.size() && !buffer.complete() && !buffer.too_long()) {
    const auto room = buffer.room();
    const std::size_t size = std::min({room.size(), step, bytes.size() - at});
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, room.begin());
    buffer.arrived(size);
    at += size;
  }
  return at;
}

TEST(FrameBuffer, PutsAFrameTogetherByteByByte) {
  FrameBuffer buffer(100);
  feed(buffer, {3, 0, 0, 0, 7, 8, 9}, 1);
  ASSERT_TRUE(buffer.complete());
  EXPECT_EQ(buffer.take(), (std::vector<std::uint8_t>{7, 8, 9}));
  EXPECT_FALSE(buffer.begun());
}

TEST(FrameBuffer, NeverReadsIntoTheNextFrame) {
  FrameBuffer buffer(100);
  EXPECT_EQ(feed(buffer, {1, 0, 0, 0, 7, 2, 0, 0, 0}, 100), 5u);
  EXPECT_TRUE(buffer.complete());
}

TEST(FrameBuffer, TakesAnEmptyFrame) {
  FrameBuffer buffer(100);
  feed(buffer, {0, 0, 0, 0}, 4);
  ASSERT_TRUE(buffer.complete());
  EXPECT_TRUE(buffer.take().empty());
}

TEST(FrameBuffer, TakesTheLongestFrameAndNotOneByteMore) {
  FrameBuffer just(5), beyond(4);
  feed(just, {5, 0, 0, 0}, 4);
  feed(beyond, {5, 0, 0, 0}, 4);
  EXPECT_FALSE(just.too_long());
  EXPECT_TRUE(beyond.too_long());
  EXPECT_FALSE(beyond.complete());
}

TEST(FrameBuffer, HasRoomForWhatArrivedAndNotForWhatWasAnnounced) {
  FrameBuffer buffer(0xFFFFFFFF);
  feed(buffer, {0xFF, 0xFF, 0xFF, 0xFF}, 4);
  EXPECT_EQ(buffer.announced(), 0xFFFFFFFFu);
  std::size_t arrived = 0;
  for (int i = 0; i < 6; ++i) {
    const std::size_t room = buffer.room().size();
    EXPECT_LE(room, std::max<std::size_t>(arrived, 64 * 1024));
    buffer.arrived(room);
    arrived += room;
  }
}

}  // namespace
}  // namespace busbar::wire
