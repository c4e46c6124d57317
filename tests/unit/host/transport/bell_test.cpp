#include "transport/bell.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>

#include "link_testing.hpp"

namespace busbar::host {
namespace {

bool sleeps_until(Bell& bell, Nanos deadline) {
  pollfd descriptor{};
  bell.sleep(&descriptor, 1, deadline);
  return now_ns() >= deadline;
}

TEST(BellTest, ARingBeforeTheSleepEndsIt) {
  Bell bell;
  bell.hush();
  bell.ring();
  EXPECT_TRUE(bell.rung());
  EXPECT_FALSE(sleeps_until(bell, far_future()));
}

TEST(BellTest, AHushTakesARingBack) {
  Bell bell;
  bell.ring();
  bell.hush();
  EXPECT_FALSE(bell.rung());
  EXPECT_TRUE(sleeps_until(bell, now_ns() + kMillisecond));
}

TEST(BellTest, ADescriptorIsLookedAtAlsoWhereItWasRung) {
  Bell bell;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  bell.ring();
  std::array<pollfd, 2> descriptors{pollfd{}, pollfd{ends[0], POLLIN, 0}};
  bell.sleep(descriptors.data(), descriptors.size(), far_future());
  EXPECT_NE(descriptors[1].revents, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(BellTest, LosesNoRing) {
  constexpr int kRings = 20'000;
  Bell bell;
  std::atomic<int> published{0};
  std::atomic<int> seen{0};
  std::thread sleeper([&] {
    while (seen < kRings) {
      bell.hush();
      if (published != seen) {
        ++seen;
      } else if (sleeps_until(bell, far_future())) {
        return;
      }
    }
  });
  for (int i = 0; i < kRings; ++i) {
    ++published;
    bell.ring();
    if (!testing::eventually([&] { return seen == published; })) break;
  }
  sleeper.join();
  EXPECT_EQ(seen, kRings);
}

}  // namespace
}  // namespace busbar::host
