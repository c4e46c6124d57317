// The queue in front of the pool's threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "pool/clock.hpp"

namespace busbar::host {

class Task;

// A bounded lock-free queue of tasks, first in first out. Positions count up for ever; a push claims one by moving the
// tail, a pop by moving the head, and each cell says which position's task it holds. A cell is free again as soon as
// the head has passed it: nobody needs to give it back, so a thread that is suspended in the middle of a pop cannot
// make the queue look full.
// Threads: any.
class TaskRing {
 public:
  enum class Pushed { kDone, kFull, kClosed };

  explicit TaskRing(std::size_t limit);

  Pushed push(Task& task, Nanos now) noexcept;

  // The oldest task; null if there is none, or if its push has not ended yet. Whoever pushed then still looks for an
  // idle thread.
  Task* pop() noexcept;

  // Whether pop() would find one. In the single total order of sequentially consistent operations, as push and pop are.
  bool ready() const noexcept;

  // Since when the oldest task has been queued; kNever if there is none.
  Nanos oldest_since() const noexcept;

  std::size_t size() const noexcept;

  // Refuses all further pushes. Those that were under way end.
  void close() noexcept;

  // Closed, and everything that was pushed has been popped.
  bool drained() const noexcept;

 private:
  struct Cell {
    std::atomic<std::uint64_t> holds{0};  // its task's position plus one; 0: none yet
    std::atomic<Nanos> since{0};
    std::atomic<Task*> task{nullptr};
  };

  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;  // in tail_, so that closing fails pushes under way

  Cell& cell(std::uint64_t position) const noexcept { return cells_[position & mask_]; }

  const std::size_t limit_;
  const std::uint64_t mask_;
  const std::unique_ptr<Cell[]> cells_;

  // Apart from each other: one is written by those who push, the other by those who pop.
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::atomic<std::uint64_t> head_seen_{0};  // not later than head_; spares those who push a look at it
  alignas(64) std::atomic<std::uint64_t> head_{0};
};

}  // namespace busbar::host
