// Waiting for readers, and nobody but readers.
#include <busbar/registry/read_section.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "support/eventually.hpp"

namespace busbar::registry {
namespace {

using testing::eventually;

TEST(ReadSection, NobodyIsWaitedForWhereNobodyReads) {
  wait_for_readers();
  { const ReadSection section; }
  wait_for_readers();
}

TEST(ReadSection, AReaderIsWaitedForUntilItLeaves) {
  std::latch inside(1), leave(1);
  std::atomic<bool> left{false};
  std::thread reader([&] {
    const ReadSection section;
    inside.count_down();
    leave.wait();
    left = true;
  });
  inside.wait();
  std::atomic<bool> returned{false};
  std::thread waiter([&] {
    wait_for_readers();
    EXPECT_TRUE(left) << "a reader was still inside";
    returned = true;
  });
  EXPECT_FALSE(returned);
  leave.count_down();
  waiter.join();
  reader.join();
}

TEST(ReadSection, AReaderThatComesLaterIsNotWaitedFor) {
  std::latch first_inside(1), first_leaves(1), second_inside(1), second_leaves(1);
  std::thread first([&] {
    const ReadSection section;
    first_inside.count_down();
    first_leaves.wait();
  });
  first_inside.wait();
  std::thread waiter([] { wait_for_readers(); });
  // Readers keep coming, one always overlapping the next: who waits would starve if it waited for them.
  std::atomic<bool> over{false};
  std::thread busy([&] {
    while (!over) const ReadSection section;
  });
  first_leaves.count_down();
  waiter.join();
  over = true;
  busy.join();
  std::thread second([&] {
    const ReadSection section;
    second_inside.count_down();
    second_leaves.wait();
  });
  second_inside.wait();
  second_leaves.count_down();
  second.join();
  first.join();
}

TEST(ReadSection, ThreadsThatEndLeaveNothingBehindThatIsWaitedFor) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 10; ++i) {
      threads.emplace_back([] { const ReadSection section; });
    }
    for (auto& thread : threads) thread.join();
    wait_for_readers();
  }
}

TEST(ReadSection, WhatIsFreedAfterWaitingIsReadByNobody) {
  std::atomic<int*> current{new int(0)};
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      int last = 0;
      while (!over) {
        const ReadSection section;
        const int value = *current.load(std::memory_order_acquire);
        EXPECT_GE(value, last);
        last = value;
      }
    });
  }
  for (int i = 1; i <= 2000; ++i) {
    int* before = current.exchange(new int(i), std::memory_order_acq_rel);
    wait_for_readers();
    *before = -1;  // visible to whoever would still read it
    delete before;
  }
  over = true;
  for (auto& reader : readers) reader.join();
  delete current.load();
}

}  // namespace
}  // namespace busbar::registry
