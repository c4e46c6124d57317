// The inside of a pool: what its threads share.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "busbar/thread_safety.hpp"
#include "pool/census.hpp"
#include "pool/futex.hpp"
#include "pool/idle_set.hpp"
#include "pool/pool.hpp"
#include "pool/task_ring.hpp"

namespace busbar::host {

struct Pool::State : std::enable_shared_from_this<Pool::State> {
 public:
  State(Supervisor& supervisor, PoolOptions options);

  void start_first_threads();

  Submitted submit(Task& task, Nanos now) noexcept;
  PoolStopped stop(Nanos deadline) noexcept;
  PoolStats stats() const noexcept;
  std::size_t longest_queue() const noexcept { return options_.queue; }
  YieldGuard& yield_guard() noexcept { return caller_guard_; }

  bool begin_blocking() noexcept;
  void end_blocking() noexcept { census_.unblock(); }

  // The pool whose worker the calling thread is, or null.
  static thread_local State* current;
  static thread_local bool has_next;  // see Pool::has_next

  // The supervisor's duty: one more thread if the queue does not move. Returns when to look again.
  Nanos check_queue(Nanos now) noexcept;

 private:
  // One thread's place. On a cache line of its own: whoever submits writes here.
  struct alignas(64) Worker {
    FutexWord word{kAwake};
    bool taken = false;    // by a thread; with `ended` and `thread` under threads_mutex_
    bool ended = false;    // that thread is past its last access to anything of ours
    Task* task = nullptr;  // what it was handed; null: look at the queue
    std::atomic<std::uint64_t> started{0};
    std::atomic<std::uint64_t> finished{0};
    std::thread thread;

    bool inside_task() const noexcept {
      return finished.load(std::memory_order_acquire) != started.load(std::memory_order_acquire);
    }
  };

  // The word that an idle worker waits on. It is itself the sign that somebody sleeps.
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kAsleep = 1;
  static constexpr std::uint32_t kHanded = 2;

  enum class Idle {
    kListed,     // wait for what is handed over
    kLookAgain,  // not listed: something is queued
    kOver,       // not listed: the pool stops and nothing is left
  };

  void work(Worker& self) noexcept;
  Task* next_queued() noexcept;
  Idle list_idle(Worker& self) noexcept;
  bool await_task(Worker& self) noexcept;
  bool end(Worker& self) noexcept;

  void hand_over(Worker& worker, Task* task) noexcept;
  bool nudge_idle() noexcept;
  void start_counted_thread() BUSBAR_EXCLUDES(threads_mutex_);

  void wait_for_threads(Nanos deadline) noexcept;
  std::uint64_t drop_queued() noexcept;
  unsigned part_from_threads() noexcept;
  bool part_from(Worker& worker, unsigned& abandoned) noexcept BUSBAR_REQUIRES(threads_mutex_);
  std::uint64_t finished() const noexcept;

  unsigned number_of(const Worker& worker) const noexcept { return static_cast<unsigned>(&worker - workers_.get()); }

  Supervisor& supervisor_;
  const PoolOptions options_;
  const std::unique_ptr<Worker[]> workers_;  // max_threads of them

  TaskRing ring_;
  IdleSet idle_;
  Census census_;
  YieldGuard worker_guard_;
  YieldGuard caller_guard_;
  std::atomic<bool> stopping_{false};
  FutexWord ends_{0};  // counts threads that ended; stop() sleeps on it

  Mutex threads_mutex_;  // and the places in workers_
  bool no_more_threads_ BUSBAR_GUARDED_BY(threads_mutex_) = false;
};

}  // namespace busbar::host
