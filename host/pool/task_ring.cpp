#include "pool/task_ring.hpp"

#include <algorithm>
#include <bit>

namespace busbar::host {

namespace {

constexpr std::size_t kMinCells = 1;  // with a limit of none too

}  // namespace

TaskRing::TaskRing(std::size_t limit)
    : limit_(limit),
      mask_(std::bit_ceil(std::max(limit, kMinCells)) - 1),
      cells_(std::make_unique<Cell[]>(mask_ + 1)) {}

TaskRing::Pushed TaskRing::push(Task& task, Nanos now) noexcept {
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  do {
    if ((tail & kClosed) != 0) return Pushed::kClosed;
    if (tail - head_seen_.load(std::memory_order_acquire) >= limit_) {
      const std::uint64_t head = head_.load(std::memory_order_acquire);
      head_seen_.store(head, std::memory_order_release);
      // A tail before the head is an old one: the exchange below fails.
      if (tail >= head && tail - head >= limit_) return Pushed::kFull;
    }
  } while (!tail_.compare_exchange_weak(tail, tail + 1, std::memory_order_relaxed));
  Cell& free = cell(tail);
  free.task.store(&task, std::memory_order_relaxed);
  free.since.store(now, std::memory_order_relaxed);
  free.holds.store(tail + 1, std::memory_order_seq_cst);
  return Pushed::kDone;
}

Task* TaskRing::pop() noexcept {
  std::uint64_t head = head_.load(std::memory_order_seq_cst);
  for (;;) {
    const Cell& first = cell(head);
    const std::uint64_t holds = first.holds.load(std::memory_order_seq_cst);
    if (holds < head + 1) return nullptr;
    if (holds > head + 1) {
      head = head_.load(std::memory_order_seq_cst);
      continue;
    }
    // Read before the head moves on, for then the cell may be filled again. If it has been already, the exchange fails.
    Task* task = first.task.load(std::memory_order_relaxed);
    if (head_.compare_exchange_weak(head, head + 1, std::memory_order_seq_cst)) return task;
  }
}

bool TaskRing::ready() const noexcept {
  std::uint64_t head = head_.load(std::memory_order_seq_cst);
  for (;;) {
    if (cell(head).holds.load(std::memory_order_seq_cst) == head + 1) return true;
    const std::uint64_t again = head_.load(std::memory_order_seq_cst);
    if (again == head) return false;
    head = again;
  }
}

Nanos TaskRing::oldest_since() const noexcept {
  for (;;) {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    const Cell& first = cell(head);
    const bool holds = first.holds.load(std::memory_order_acquire) == head + 1;
    const Nanos since = first.since.load(std::memory_order_acquire);
    if (head_.load(std::memory_order_relaxed) == head) return holds ? since : kNever;
  }
}

std::size_t TaskRing::size() const noexcept {
  const std::uint64_t head = head_.load(std::memory_order_acquire);
  const std::uint64_t tail = tail_.load(std::memory_order_acquire) & ~kClosed;
  return tail > head ? tail - head : 0;
}

void TaskRing::close() noexcept { tail_.fetch_or(kClosed, std::memory_order_relaxed); }

bool TaskRing::drained() const noexcept {
  const std::uint64_t tail = tail_.load(std::memory_order_acquire);
  return tail == (head_.load(std::memory_order_acquire) | kClosed);
}

}  // namespace busbar::host
