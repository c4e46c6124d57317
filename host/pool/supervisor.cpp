#include "pool/supervisor.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "pool/alternate_stack.hpp"

namespace busbar::host {

namespace {

// Makes `time` the earlier of itself and `when`; returns whether it was later.
bool lower_to(std::atomic<Nanos>& time, Nanos when) noexcept {
  Nanos seen = time.load(std::memory_order_seq_cst);
  while (when < seen) {
    if (time.compare_exchange_weak(seen, when, std::memory_order_seq_cst)) return true;
  }
  return false;
}

// Keeps what was written before it from being delayed past what is read after it.
void full_fence() noexcept {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"  // it does not model fences; all that these order is atomic
#endif
  std::atomic_thread_fence(std::memory_order_seq_cst);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

}  // namespace

Supervisor::Supervisor() : thread_([this] { run(); }) { ::pthread_setname_np(thread_.native_handle(), "busbar-time"); }

Supervisor::~Supervisor() { stop(); }

void Supervisor::add_duty(Duty duty) {
  {
    const MutexLock lock(mutex_);
    auto more = std::make_shared<Duties>(*duties_);
    more->push_back(std::move(duty));
    duties_ = std::move(more);
  }
  wake_at(now_ns());
}

void Supervisor::wake_at(Nanos when) noexcept {
  // With the fence in run(): either the thread has not yet begun to call the duties, and then they will see what our
  // caller wrote; or we see that nothing is planned any more, and plan.
  full_fence();
  if (!lower_to(planned_, when)) return;
  bell_.fetch_add(1, std::memory_order_release);
  futex_wake_one(bell_);
}

void Supervisor::stop() noexcept {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_relaxed);
  bell_.fetch_add(1, std::memory_order_release);
  futex_wake_one(bell_);
  thread_.join();
}

void Supervisor::run() noexcept {
  const AlternateStack stack;
  for (;;) {
    // The bell is read before what it announces: a ring after this makes the wait return at once.
    const std::uint32_t rung = bell_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    const Nanos due = planned_.load(std::memory_order_relaxed);
    if (due > now_ns()) {
      futex_wait(bell_, rung, due);
      continue;
    }
    // Nothing is planned from here on, so that whoever asks for a wake-up while duties run gets one: they may have
    // passed over what it is about.
    planned_.store(kNever, std::memory_order_relaxed);
    full_fence();
    lower_to(planned_, call_duties());
  }
}

std::shared_ptr<const Supervisor::Duties> Supervisor::current_duties() const noexcept {
  const MutexLock lock(mutex_);
  return duties_;
}

Nanos Supervisor::call_duties() noexcept {
  const auto duties = current_duties();  // called without the lock: they run the callbacks of calls that timed out
  const Nanos now = now_ns();
  Nanos next = kNever;
  for (const Duty& duty : *duties) next = std::min(next, duty(now));
  return next;
}

}  // namespace busbar::host
