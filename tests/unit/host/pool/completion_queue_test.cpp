#include "pool/completion_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "pool_testing.hpp"

namespace busbar::host {
namespace {

struct Node : Completion {
  int producer = 0;
  int number = 0;
};

TEST(CompletionQueueTest, GivesWhatWasPutInOldestFirst) {
  CompletionQueue queue;
  EXPECT_EQ(queue.take(), nullptr);
  std::array<Node, 3> nodes;
  for (Node& node : nodes) queue.push(node);
  Completion* taken = queue.take();
  for (Node& node : nodes) {
    ASSERT_EQ(taken, &node);
    taken = taken->next;
  }
  EXPECT_EQ(taken, nullptr);
  EXPECT_EQ(queue.take(), nullptr);
}

TEST(CompletionQueueTest, GivesUpAtItsDeadline) {
  CompletionQueue queue;
  YieldGuard guard;
  const Nanos deadline = now_ns() + 2 * kMillisecond;
  EXPECT_EQ(queue.wait(deadline, guard), nullptr);
  EXPECT_GE(now_ns(), deadline);
  Node node;
  queue.push(node);
  EXPECT_EQ(queue.take(), &node) << "and works as before";
}

TEST(CompletionQueueTest, WakesAConsumerThatSleeps) {
  CompletionQueue queue;
  YieldGuard guard;
  constexpr int kTurns = 5000;
  Waiter go;
  std::array<Node, kTurns> nodes;
  std::thread producer([&] {
    for (Node& node : nodes) {
      if (!go.wait_until(far_future(), guard)) return;
      go.reset();
      queue.push(node);
    }
  });
  for (Node& node : nodes) {
    go.complete();
    if (queue.wait(far_future(), guard, 0) != &node) {
      ADD_FAILURE();
      break;
    }
  }
  producer.join();
}

TEST(CompletionQueueTest, KeepsTheOrderOfEachProducerAndLosesNothing) {
  constexpr int kProducers = 4;
  constexpr int kNodes = 10'000;
  CompletionQueue queue;
  YieldGuard guard;
  std::vector<std::vector<Node>> nodes(kProducers, std::vector<Node>(kNodes));
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&, producer] {
      for (int i = 0; i < kNodes; ++i) {
        Node& node = nodes[static_cast<std::size_t>(producer)][static_cast<std::size_t>(i)];
        node.producer = producer;
        node.number = i;
        queue.push(node);
      }
    });
  }
  std::array<int, kProducers> next{};
  int left = kProducers * kNodes;
  int wrong = 0;
  for (int batch = 0; left > 0; ++batch) {
    Completion* taken = queue.wait(far_future(), guard, batch % 2 == 0 ? 0 : 16);
    if (taken == nullptr) break;
    for (; taken != nullptr; taken = taken->next, --left) {
      const Node& node = static_cast<Node&>(*taken);
      if (node.number != next[static_cast<std::size_t>(node.producer)]++) ++wrong;
    }
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(wrong, 0);
}

// For the address sanitizer: push() touches nothing after the consumer may go on.
TEST(CompletionQueueTest, MayBeDestroyedOnceTheLastNodeIsTaken) {
  YieldGuard guard;
  for (int i = 0; i < 300; ++i) {
    Node node;
    auto queue = std::make_unique<CompletionQueue>();
    std::thread producer([&node, raw = queue.get()] { raw->push(node); });
    EXPECT_EQ(queue->wait(far_future(), guard, i % 2 == 0 ? 0 : 16), &node);
    queue.reset();
    producer.join();
  }
}

}  // namespace
}  // namespace busbar::host
