// What the benchmarks share: where threads run, a process that is in the way, and the floors.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pool/clock.hpp"
#include "pool/futex.hpp"
#include "pool/pool.hpp"

namespace bench {

using namespace busbar::host;  // NOLINT: for programs of their own

inline constexpr int kUnpinned = -1;

// Where threads that are started from now on, and the caller, may run.
inline void run_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < static_cast<int>(std::thread::hardware_concurrency()); ++i) {
    if (cpu == kUnpinned || cpu == i) CPU_SET(i, &set);
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity");
}

// A process that keeps one processor busy while it lives.
class BusyProcess {
 public:
  explicit BusyProcess(int cpu) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_on(cpu);
    for (;;) {
      asm volatile("");
    }
  }
  ~BusyProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  BusyProcess(const BusyProcess&) = delete;
  BusyProcess& operator=(const BusyProcess&) = delete;

 private:
  const pid_t pid_;
};

struct Placement {
  const char* name;
  int caller;
  int worker;
  bool busy;
  const char* asked = "";  // printed beside the figure
};

// What the floor and the pool have in common: one call, there and back.
class Handoff {
 public:
  virtual ~Handoff() = default;
  virtual void call() = 0;
};

// The floor of a hand-off: two threads, a futex word each.
class BareFutex : public Handoff {
 public:
  explicit BareFutex(std::function<void()> handler) : handler_(std::move(handler)), thread_([this] { serve(); }) {}
  ~BareFutex() override {
    stop_ = true;
    ring(request_);
    thread_.join();
  }

  void call() override {
    ring(request_);
    await(answer_);
  }

 private:
  static void ring(FutexWord& word) {
    word.store(1, std::memory_order_release);
    futex_wake_one(word);
  }

  static void await(FutexWord& word) {
    while (word.load(std::memory_order_acquire) == 0) futex_wait(word, 0);
    word.store(0, std::memory_order_relaxed);
  }

  void serve() {
    for (;;) {
      await(request_);
      if (stop_) return;
      handler_();
      ring(answer_);
    }
  }

  alignas(64) FutexWord request_{0};
  alignas(64) FutexWord answer_{0};
  const std::function<void()> handler_;
  bool stop_ = false;
  std::thread thread_;
};

struct Latency {
  double p50 = 0;
  double p99 = 0;
};

inline Latency measure(Handoff& handoff, Nanos duration) {
  for (int i = 0; i < 200; ++i) handoff.call();
  std::vector<Nanos> times;
  times.reserve(1'000'000);
  const Nanos end = now_ns() + duration;
  for (Nanos before = now_ns(); before < end;) {
    handoff.call();
    const Nanos after = now_ns();
    times.push_back(after - before);
    before = after;
  }
  std::sort(times.begin(), times.end());
  return {static_cast<double>(times[times.size() / 2]), static_cast<double>(times[times.size() * 99 / 100])};
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Compares hand-offs at one placement, in alternating rounds, and prints medians and ratios.
inline void compare_latency(const Placement& at, int rounds, Nanos duration,
                            const std::function<std::unique_ptr<Handoff>()>& make_floor,
                            const std::function<std::unique_ptr<Handoff>()>& make_ours) {
  struct Figures {
    std::vector<double> p50, p99;
  } floor, ours, ratio;
  for (int round = 0; round < rounds; ++round) {
    for (const bool is_floor : {round % 2 == 0, round % 2 != 0}) {
      run_on(at.worker);
      const std::unique_ptr<Handoff> handoff = is_floor ? make_floor() : make_ours();
      run_on(at.caller);
      std::unique_ptr<BusyProcess> busy;
      if (at.busy) busy = std::make_unique<BusyProcess>(at.caller);
      const Latency latency = measure(*handoff, duration);
      Figures& figures = is_floor ? floor : ours;
      figures.p50.push_back(latency.p50);
      figures.p99.push_back(latency.p99);
    }
    ratio.p50.push_back(ours.p50.back() / floor.p50.back());
    ratio.p99.push_back(ours.p99.back() / floor.p99.back());
  }
  run_on(kUnpinned);
  std::printf("%-44s p50 %8.2f / %8.2f us = %6.3f   p99 %8.2f / %8.2f us = %6.3f%s\n", at.name, median(ours.p50) / 1e3,
              median(floor.p50) / 1e3, median(ratio.p50), median(ours.p99) / 1e3, median(floor.p99) / 1e3,
              median(ratio.p99), at.asked);
  std::fflush(stdout);
}

// The usual pool: one lock, one condition variable.
class LockedPool {
 public:
  explicit LockedPool(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
  }
  ~LockedPool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    filled_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void submit(Task& task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(&task);
    }
    filled_.notify_one();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      filled_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      Task* task = tasks_.front();
      tasks_.pop_front();
      lock.unlock();
      task->run();
      task->finish();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Task*> tasks_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bench
