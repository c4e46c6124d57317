#include "pool/completion_queue.hpp"

namespace busbar::host {

namespace {

Completion* oldest_first(Completion* newest) noexcept {
  Completion* previous = nullptr;
  while (newest != nullptr) {
    Completion* older = newest->next;
    newest->next = previous;
    previous = newest;
    newest = older;
  }
  return previous;
}

}  // namespace

Completion* CompletionQueue::sleeping() noexcept {
  static Completion mark;
  return &mark;
}

void CompletionQueue::push(Completion& node) noexcept {
  Completion* head = head_.load(std::memory_order_relaxed);
  do {
    node.next = head == sleeping() ? nullptr : head;
  } while (!head_.compare_exchange_weak(head, &node, std::memory_order_release, std::memory_order_relaxed));
  if (head != sleeping()) return;
  // The consumer does not go on before it has seen this count, so the queue is still there.
  bell_.fetch_add(1, std::memory_order_release);
  futex_wake_one(bell_);
}

Completion* CompletionQueue::take() noexcept {
  if (head_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  return oldest_first(head_.exchange(nullptr, std::memory_order_acquire));
}

Completion* CompletionQueue::wait(Nanos deadline, YieldGuard& guard, unsigned yields) noexcept {
  const auto filled = [this] { return head_.load(std::memory_order_relaxed) != nullptr; };
  if (filled() || guard.yield_until(filled, yields) || sleep_until(deadline)) return take();
  return nullptr;
}

// Returns whether there is a node.
bool CompletionQueue::sleep_until(Nanos deadline) noexcept {
  const std::uint32_t rung = bell_.load(std::memory_order_relaxed);
  Completion* seen = nullptr;
  if (!head_.compare_exchange_strong(seen, sleeping(), std::memory_order_acq_rel)) return true;
  while (bell_.load(std::memory_order_acquire) == rung) {
    if (deadline != kNever && now_ns() >= deadline) {
      seen = sleeping();
      if (head_.compare_exchange_strong(seen, nullptr, std::memory_order_acq_rel)) return false;
      deadline = kNever;  // somebody has put a node in and is about to ring
    }
    futex_wait(bell_, rung, deadline);
  }
  return true;
}

}  // namespace busbar::host
