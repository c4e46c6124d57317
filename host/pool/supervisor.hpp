// The one thread of a host that watches the time.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "busbar/thread_safety.hpp"
#include "pool/futex.hpp"

namespace busbar::host {

// A thread with duties: things that are due at some time, such as a call's deadline.
// It sleeps until the earliest time asked for, then calls *every* duty, which looks at what of its own is due: a duty
// must bear being called early.
// Ownership: what a duty refers to outlives stop().
// Threads: any, unless a function says otherwise.
class Supervisor {
 public:
  // Does what is due at `now`; returns when it wants to be called again, or kNever. Must not throw, block, or call
  // add_duty() or stop(); may call wake_at().
  using Duty = std::function<Nanos(Nanos now)>;

  // Errors: std::system_error if the thread cannot be started.
  Supervisor();
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Adds a duty and has it called at once, for it to say when it is due.
  void add_duty(Duty duty);

  // Has the duties called at `when` at the latest. Lock-free, and nothing but a fence and a load if they are called
  // before that anyway. What the caller wrote before it is seen by the duties at that call.
  void wake_at(Nanos when) noexcept;

  // Ends the thread: no duty runs after it has returned. Not from a duty.
  void stop() noexcept;

 private:
  void run() noexcept;
  using Duties = std::vector<Duty>;

  std::shared_ptr<const Duties> current_duties() const noexcept;
  Nanos call_duties() noexcept;

  std::atomic<Nanos> planned_{kNever};  // when the thread means to wake up
  FutexWord bell_{0};                   // counts up when that becomes earlier; the thread sleeps on it
  std::atomic<bool> stopping_{false};

  mutable Mutex mutex_;  // held to copy the pointer only
  std::shared_ptr<const Duties> duties_ BUSBAR_GUARDED_BY(mutex_) = std::make_shared<Duties>();

  std::thread thread_;
};

}  // namespace busbar::host
