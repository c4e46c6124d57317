// What a thread of the pool does.
#include <pthread.h>
#include <sched.h>

#include <utility>

#include "pool/alternate_stack.hpp"
#include "pool/pool_state.hpp"

namespace busbar::host {

void Pool::State::work(Worker& self) noexcept {
  const AlternateStack stack;
  ::pthread_setname_np(::pthread_self(), "busbar-pool");
  current = this;
  Task* ran = nullptr;  // has run, but nobody has been told
  const auto tell = [&ran] {
    if (ran != nullptr) std::exchange(ran, nullptr)->finish();
  };
  for (;;) {
    Task* task = next_queued();
    if (task == nullptr) {
      const Idle idle = list_idle(self);
      if (idle == Idle::kLookAgain) continue;
      tell();
      if (idle == Idle::kOver || !await_task(self)) {
        if (end(self)) return;
        continue;
      }
      task = self.task;
      if (task == nullptr) continue;
    } else {
      has_next = true;
      tell();
      has_next = false;
    }
    self.started.store(self.started.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    task->run();
    self.finished.store(self.finished.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    ran = task;
  }
}

Task* Pool::State::next_queued() noexcept {
  Task* task = ring_.pop();
  // A push that is slow to end hides the ones behind it, and wakes a thread for itself alone. So whoever finds
  // something wakes the next one.
  if (task != nullptr && !idle_.empty() && ring_.ready()) nudge_idle();
  return task;
}

// Lists this worker as idle, unless there is something to do.
Pool::State::Idle Pool::State::list_idle(Worker& self) noexcept {
  self.word.store(kAwake, std::memory_order_relaxed);
  idle_.add(number_of(self));
  // Only now, because a task may have been queued by somebody who did not see us yet.
  const bool stopping = stopping_.load();
  if (!ring_.ready() && !stopping) return Idle::kListed;
  // Somebody may have been quicker and is about to hand us something.
  if (!idle_.remove(number_of(self))) return Idle::kListed;
  if (!stopping || ring_.ready()) return Idle::kLookAgain;
  if (ring_.drained()) return Idle::kOver;
  ::sched_yield();  // a push is under way
  return Idle::kLookAgain;
}

// Waits until this worker, which is listed as idle, is handed something. Returns false if that took so long that the
// thread is no longer needed; then it is not listed any more.
bool Pool::State::await_task(Worker& self) noexcept {
  const auto handed = [&self] { return self.word.load(std::memory_order_acquire) == kHanded; };
  if (worker_guard_.yield_until(handed)) return true;
  std::uint32_t seen = kAwake;
  if (!self.word.compare_exchange_strong(seen, kAsleep, std::memory_order_acquire)) return true;
  // Without a surplus no time limit: an idle host sleeps. If there is one later, the thread that makes it one is
  // limited.
  Nanos deadline = census_.surplus() ? now_ns() + options_.idle_timeout : kNever;
  for (;;) {
    futex_wait(self.word, kAsleep, deadline);
    if (handed()) return true;
    if (deadline != kNever && now_ns() >= deadline) {
      if (idle_.remove(number_of(self))) return false;
      deadline = kNever;  // somebody is about to hand us something
    }
  }
}

// Ends this thread, which is not listed as idle; returns false if it is needed after all. After true it must return at
// once.
bool Pool::State::end(Worker& self) noexcept {
  {
    const MutexLock lock(threads_mutex_);
    if (stopping_.load() && ring_.drained()) {
      census_.remove();
    } else if (ring_.ready() || !census_.try_remove_surplus()) {
      return false;
    }
    self.ended = true;
  }
  ends_.fetch_add(1, std::memory_order_release);
  futex_wake_one(ends_);
  return true;
}

thread_local constinit Pool::State* Pool::State::current = nullptr;
thread_local constinit bool Pool::State::has_next = false;

bool Pool::on_worker() noexcept { return State::current != nullptr; }

bool Pool::has_next() noexcept { return State::has_next; }

bool Pool::begin_blocking() noexcept { return State::current == nullptr || State::current->begin_blocking(); }

void Pool::end_blocking() noexcept {
  if (State::current != nullptr) State::current->end_blocking();
}

}  // namespace busbar::host
