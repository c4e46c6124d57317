// The threads that run handlers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "pool/clock.hpp"
#include "pool/supervisor.hpp"
#include "pool/yield_guard.hpp"

namespace busbar::host {

// Something that runs on a pool, once. An accepted task sees run() and then finish(), or drop() alone.
// Ownership: whoever submits; until finish() or drop() begins, the pool refers to it. The pool does not touch it after
// that, so both may free it, or let its owner do so.
class Task {
 public:
  virtual ~Task() = default;

  // Does the work. [worker]
  virtual void run() noexcept = 0;

  // Tells whoever waits. Called by the thread that ran it, once that thread is ready for the next task (which makes a
  // lone caller's next call find the same thread awake): it may be given one while it is still in here. So it must be
  // short and must not block. [worker]
  virtual void finish() noexcept = 0;

  // Called instead of both if the pool stopped before it came to this task. [the thread that stops the pool]
  virtual void drop() noexcept = 0;
};

enum class Submitted {
  kAccepted,
  kFull,     // no thread is idle and as many tasks are queued as may be
  kStopped,  // the pool is stopping
};

struct PoolOptions {
  unsigned threads = 0;                  // how many run; 0: as many as there are processors
  unsigned max_threads = 256;            // how many exist at most; up to Pool::kMaxThreads
  std::size_t queue = 10'000;            // how many tasks wait at most
  Nanos grow_after = 10 * kMillisecond;  // how long the first in the queue waits before one more thread is started
  Nanos idle_timeout = 5 * kSecond;      // after how long a thread above `threads` ends

  // Starts a thread, throws std::system_error if it cannot. Empty: std::thread. For tests.
  std::function<std::thread(std::function<void()>)> start_thread{};
};

struct PoolStats {
  unsigned threads = 0;      // as configured
  unsigned max_threads = 0;  // as configured
  unsigned live = 0;         // threads that exist
  unsigned idle = 0;
  unsigned running = 0;  // inside a task, blocked ones included
  unsigned blocked = 0;  // inside a task, waiting for a nested call
  std::size_t queued = 0;
  std::uint64_t started = 0;   // tasks, ever
  std::uint64_t finished = 0;  // tasks, ever
};

// What stop() did with what it found.
struct PoolStopped {
  std::uint64_t finished = 0;  // tasks that ended while it waited
  std::uint64_t dropped = 0;   // tasks that were queued and never ran
  unsigned abandoned = 0;      // threads that are still inside a task
};

// An elastic thread pool with a bounded queue, first in first out.
// It grows when a thread blocks in a nested call, or when the queue does not move, and shrinks again when threads stay
// idle. Submitting and running take no lock.
// Ownership: the supervisor outlives it. If stop() abandons threads, their tasks must never be freed.
// Threads: any, unless a function says otherwise.
class Pool {
 public:
  static constexpr unsigned kMaxThreads = 1024;

  // Errors: std::invalid_argument for options that contradict each other; std::system_error if its first threads cannot
  // be started.
  Pool(Supervisor& supervisor, PoolOptions options);
  // Stops, if that has not been done, with a second's time.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Gives the task to an idle thread, else queues it. `now` is a recent reading of the clock.
  Submitted submit(Task& task, Nanos now) noexcept;
  Submitted submit(Task& task) noexcept { return submit(task, now_ns()); }

  // Takes no new tasks, runs the queued ones until the deadline and drops the rest. Threads that are inside a task then
  // are left behind; all others have ended when it returns. Not from a worker. A second call does nothing.
  PoolStopped stop(Nanos deadline) noexcept;

  PoolStats stats() const noexcept;
  // How many tasks wait at most, as configured.
  std::size_t longest_queue() const noexcept;

  // For those who wait for tasks. The workers have one of their own: beside a process that keeps the callers' processor
  // busy, workers on another one may go on yielding (0.58 of the time that one guard for both sides takes, measured).
  YieldGuard& yield_guard() noexcept;

  // The same as begin_blocking() and end_blocking() in the name of one of its threads, whose task is not expected to
  // end. From any thread.
  bool begin_making_up() noexcept;
  void end_making_up() noexcept;

  // Whether the calling thread is a worker of any pool.
  static bool on_worker() noexcept;

  // In a task's finish(): whether its worker has another task in hand, which it runs and finishes after this one. What
  // is to be sent can wait for that one.
  static bool has_next() noexcept;

  // To be called by a worker before it blocks until another task has run; another thread is started if none would be
  // left to run it. Returns false if that is not possible: the nested call is refused as overloaded then, and
  // end_blocking() is not called. On other threads true, and nothing happens.
  static bool begin_blocking() noexcept;
  static void end_blocking() noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with its threads, of which some may outlive the pool
};

// begin_blocking() and end_blocking() as a scope.
// Example: BlockingScope scope; if (!scope) return overloaded(); waiter.wait_until(deadline, guard);
class BlockingScope {
 public:
  BlockingScope() noexcept : granted_(Pool::begin_blocking()) {}
  ~BlockingScope() {
    if (granted_) Pool::end_blocking();
  }
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;

  explicit operator bool() const noexcept { return granted_; }

 private:
  const bool granted_;
};

}  // namespace busbar::host
