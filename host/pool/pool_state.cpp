#include "pool/pool_state.hpp"

#include <sched.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace busbar::host {

Pool::State::State(Supervisor& supervisor, PoolOptions options)
    : supervisor_(supervisor),
      options_(std::move(options)),
      workers_(std::make_unique<Worker[]>(options_.max_threads)),
      ring_(options_.queue),
      idle_(options_.max_threads),
      census_(options_.threads, options_.max_threads) {}

void Pool::State::start_first_threads() {
  try {
    while (census_.try_add_missing()) start_counted_thread();
  } catch (...) {
    census_.remove();
    stop(0);
    throw;
  }
}

Submitted Pool::State::submit(Task& task, Nanos now) noexcept {
  // Also when a thread that was left behind comes back, and is listed for a moment.
  if (stopping_.load(std::memory_order_relaxed)) return Submitted::kStopped;
  // While something is queued a new task goes behind it, also when a thread has just become idle.
  if (!idle_.empty() && ring_.size() == 0) {
    const unsigned number = idle_.take();
    if (number != IdleSet::kNone) {
      hand_over(workers_[number], &task);
      return Submitted::kAccepted;
    }
  }
  switch (ring_.push(task, now)) {
    case TaskRing::Pushed::kFull:
      return Submitted::kFull;
    case TaskRing::Pushed::kClosed:
      return Submitted::kStopped;
    case TaskRing::Pushed::kDone:
      break;
  }
  nudge_idle();
  supervisor_.wake_at(now + options_.grow_after);
  return Submitted::kAccepted;
}

void Pool::State::hand_over(Worker& worker, Task* task) noexcept {
  worker.task = task;
  if (worker.word.exchange(kHanded, std::memory_order_acq_rel) == kAsleep) futex_wake_one(worker.word);
}

// Has an idle worker look at the queue. Returns whether there was one.
bool Pool::State::nudge_idle() noexcept {
  if (idle_.empty()) return false;
  const unsigned number = idle_.take();
  if (number == IdleSet::kNone) return false;
  hand_over(workers_[number], nullptr);
  return true;
}

bool Pool::State::begin_blocking() noexcept {
  if (!census_.try_block()) return false;
  // An idle one may be taken by somebody else's task before ours is queued. That task ends, or blocks and comes here.
  if (!idle_.empty()) return true;
  if (!census_.try_add_missing()) return true;
  try {
    start_counted_thread();
    return true;
  } catch (...) {
    return census_.remove_unless_last();
  }
}

Nanos Pool::State::check_queue(Nanos now) noexcept {
  const Nanos since = ring_.oldest_since();
  if (since == kNever) return kNever;  // whoever fills the queue next asks for a wake-up
  if (now - since < options_.grow_after) return since + options_.grow_after;
  if (!nudge_idle() && census_.try_add()) {
    try {
      start_counted_thread();
    } catch (...) {
      census_.remove();  // tried again next time
    }
  }
  return now + options_.grow_after;
}

// Starts a thread that the census already counts.
// Errors: std::system_error, and then the caller takes it out again.
void Pool::State::start_counted_thread() {
  const MutexLock lock(threads_mutex_);
  if (no_more_threads_) throw std::system_error(std::make_error_code(std::errc::operation_canceled));
  // There is one: a thread leaves its place and the census in one step.
  Worker& place = *std::find_if(workers_.get(), workers_.get() + options_.max_threads,
                                [](const Worker& worker) { return !worker.taken || worker.ended; });
  if (place.taken) place.thread.join();
  place.taken = false;
  place.ended = false;
  place.thread = options_.start_thread([self = shared_from_this(), &place] { self->work(place); });
  place.taken = true;
}

PoolStats Pool::State::stats() const noexcept {
  PoolStats stats;
  stats.threads = options_.threads;
  stats.max_threads = options_.max_threads;
  const Census::Counts counts = census_.counts();
  stats.live = counts.live;
  stats.blocked = counts.blocked;
  stats.idle = idle_.size();
  stats.queued = ring_.size();
  for (unsigned i = 0; i < options_.max_threads; ++i) {
    // In this order, so that no task seems to have ended before it began.
    const std::uint64_t finished = workers_[i].finished.load(std::memory_order_acquire);
    const std::uint64_t started = workers_[i].started.load(std::memory_order_acquire);
    stats.started += started;
    stats.finished += finished;
  }
  stats.running = static_cast<unsigned>(stats.started - stats.finished);
  return stats;
}

PoolStopped Pool::State::stop(Nanos deadline) noexcept {
  PoolStopped result;
  if (stopping_.exchange(true)) return result;
  const std::uint64_t finished_before = finished();
  ring_.close();
  while (nudge_idle()) {
  }
  wait_for_threads(deadline);
  result.dropped = drop_queued();
  result.abandoned = part_from_threads();
  result.finished = finished() - finished_before;
  return result;
}

void Pool::State::wait_for_threads(Nanos deadline) noexcept {
  for (;;) {
    const std::uint32_t seen = ends_.load(std::memory_order_acquire);
    if (census_.counts().live == 0 || now_ns() >= deadline) return;
    futex_wait(ends_, seen, deadline);
  }
}

std::uint64_t Pool::State::drop_queued() noexcept {
  std::uint64_t dropped = 0;
  while (!ring_.drained()) {
    if (Task* task = ring_.pop()) {
      task->drop();
      ++dropped;
    } else {
      ::sched_yield();  // its push is under way
    }
  }
  return dropped;
}

// Joins the threads that have ended and leaves those behind that are inside a task; waits for those that are neither,
// which run nothing but code of the host. Returns how many were left behind.
unsigned Pool::State::part_from_threads() noexcept {
  constexpr Nanos kLookAgain = kMillisecond;  // entering a task rings no bell
  {
    const MutexLock lock(threads_mutex_);
    no_more_threads_ = true;
  }
  unsigned abandoned = 0;
  for (unsigned i = 0; i < options_.max_threads;) {
    const std::uint32_t seen = ends_.load(std::memory_order_acquire);
    {
      const MutexLock lock(threads_mutex_);
      if (part_from(workers_[i], abandoned)) {
        ++i;
        continue;
      }
    }
    futex_wait(ends_, seen, now_ns() + kLookAgain);
  }
  return abandoned;
}

// Returns false if that is not possible yet.
bool Pool::State::part_from(Worker& worker, unsigned& abandoned) noexcept {
  if (!worker.taken) return true;
  if (!worker.ended && !worker.inside_task()) return false;
  if (worker.ended) {
    worker.thread.join();
  } else {
    worker.thread.detach();
    ++abandoned;
  }
  worker.taken = false;
  return true;
}

std::uint64_t Pool::State::finished() const noexcept {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < options_.max_threads; ++i) sum += workers_[i].finished.load(std::memory_order_acquire);
  return sum;
}

}  // namespace busbar::host
