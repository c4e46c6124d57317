// Where the answers of asynchronous calls are collected.
#pragma once

#include <atomic>

#include "pool/futex.hpp"
#include "pool/yield_guard.hpp"

namespace busbar::host {

// What lies in a CompletionQueue; derive from it.
struct Completion {
  Completion* next = nullptr;  // in a batch that was taken: the one that came after this, or null
};

// Many threads add, one takes everything at once.
// Ownership: nodes belong to whoever put them in, then to whoever took them; the queue never frees any. It may be
// destroyed by the consumer once it has taken every node it expects.
// Threads: push from any; take and wait from one thread at a time.
class CompletionQueue {
 public:
  CompletionQueue() = default;
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;

  // Adds a node. Wakes the consumer only if it sleeps.
  void push(Completion& node) noexcept;

  // Takes all nodes, oldest first, linked by `next`; null if there are none.
  Completion* take() noexcept;

  // Takes all nodes; waits until there is one or the deadline has come (then null). `yields` as for Waiter.
  Completion* wait(Nanos deadline, YieldGuard& guard, unsigned yields = YieldGuard::kYields) noexcept;

 private:
  // What head_ holds while the consumer sleeps on an empty queue.
  static Completion* sleeping() noexcept;

  bool sleep_until(Nanos deadline) noexcept;

  alignas(64) std::atomic<Completion*> head_{nullptr};  // newest first
  alignas(64) FutexWord bell_{0};
};

}  // namespace busbar::host
