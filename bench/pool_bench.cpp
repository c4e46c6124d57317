// The pool's hand-off against its floors: a bare futex hand-off for a lone caller, and a pool with a mutex and a
// condition variable for many calls under way. Every figure is the median of alternating rounds; what counts are the
// ratios.
//
// usage: pool_bench [ROUNDS [MILLISECONDS PER ROUND [a | b]]]   (a: one at a time, b: many under way)
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "pool/completion_queue.hpp"
#include "pool/pool.hpp"
#include "pool/waiter.hpp"

namespace {

using namespace busbar::host;  // NOLINT: a program of its own

constexpr int kUnpinned = -1;

// Where threads that are started from now on, and the caller, may run.
void run_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < static_cast<int>(std::thread::hardware_concurrency()); ++i) {
    if (cpu == kUnpinned || cpu == i) CPU_SET(i, &set);
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity");
}

// About 250 ns of work that the compiler cannot leave out.
std::uint64_t handler(std::uint64_t seed) {
  for (int i = 0; i < 200; ++i) {
    seed = (seed ^ (seed >> 29)) * 0xbf58476d1ce4e5b9U;
    asm volatile("" : "+r"(seed));
  }
  return seed;
}

// A process that keeps one processor busy while it lives.
class BusyProcess {
 public:
  explicit BusyProcess(int cpu) : pid_(::fork()) {
    if (pid_ != 0) return;
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

// ------------------------------------------------------------------------------------------------ one at a time

// What the floor and the pool have in common: one call, there and back.
class Handoff {
 public:
  virtual ~Handoff() = default;
  virtual void call() = 0;
};

class BareFutex : public Handoff {
 public:
  BareFutex() : thread_([this] { serve(); }) {}
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
      result_ = handler(result_);
      ring(answer_);
    }
  }

  alignas(64) FutexWord request_{0};
  alignas(64) FutexWord answer_{0};
  std::uint64_t result_ = 1;
  bool stop_ = false;
  std::thread thread_;
};

class PoolHandoff : public Handoff, private Task {
 public:
  explicit PoolHandoff(unsigned threads) : pool_(supervisor_, options(threads)) {}
  ~PoolHandoff() override = default;

  void call() override {
    const Nanos now = now_ns();  // the dispatcher needs one too, for the deadline
    waiter_.reset();
    if (pool_.submit(*this, now) != Submitted::kAccepted) std::abort();
    if (!waiter_.wait_until(now + 5 * kSecond, pool_.yield_guard())) std::abort();
  }

 private:
  static PoolOptions options(unsigned threads) {
    PoolOptions options;
    options.threads = threads;
    return options;
  }

  void run() noexcept override { result_ = handler(result_); }
  void finish() noexcept override { waiter_.complete(); }
  void drop() noexcept override { std::abort(); }

  alignas(64) Waiter waiter_;
  std::uint64_t result_ = 1;
  Supervisor supervisor_;
  Pool pool_;
};

struct Latency {
  double p50 = 0;
  double p99 = 0;
};

Latency measure(Handoff& handoff, Nanos duration) {
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

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Placement {
  const char* name;
  int caller;
  int worker;
  bool busy;
};

void compare_latency(const Placement& at, unsigned threads, int rounds, Nanos duration) {
  std::array<std::vector<double>, 2> p50;
  std::array<std::vector<double>, 2> p99;
  std::vector<double> ratio50;
  std::vector<double> ratio99;
  for (int round = 0; round < rounds; ++round) {
    for (const int which : round % 2 == 0 ? std::array{0, 1} : std::array{1, 0}) {
      run_on(at.worker);
      std::unique_ptr<Handoff> handoff;
      if (which == 0) {
        handoff = std::make_unique<BareFutex>();
      } else {
        handoff = std::make_unique<PoolHandoff>(threads);
      }
      run_on(at.caller);
      std::unique_ptr<BusyProcess> busy;
      if (at.busy) busy = std::make_unique<BusyProcess>(at.caller);
      const Latency latency = measure(*handoff, duration);
      p50[static_cast<std::size_t>(which)].push_back(latency.p50);
      p99[static_cast<std::size_t>(which)].push_back(latency.p99);
    }
    ratio50.push_back(p50[1].back() / p50[0].back());
    ratio99.push_back(p99[1].back() / p99[0].back());
  }
  std::printf("%-44s p50 %8.2f / %8.2f us = %6.3f   p99 %8.2f / %8.2f us = %6.3f\n", at.name, median(p50[1]) / 1e3,
              median(p50[0]) / 1e3, median(ratio50), median(p99[1]) / 1e3, median(p99[0]) / 1e3, median(ratio99));
  std::fflush(stdout);
}

// ------------------------------------------------------------------------------------------------ many under way

struct Call : Completion, Task {
  void run() noexcept override { result = handler(result); }
  void finish() noexcept override { completions->push(*this); }
  void drop() noexcept override { std::abort(); }

  CompletionQueue* completions = nullptr;
  std::uint64_t result = 1;
};

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

// Calls a second, with as many under way as there are calls: each is submitted again when it has come back.
double throughput(const std::function<void(Call&)>& submit, YieldGuard& guard, Nanos duration) {
  constexpr std::size_t kUnderWay = 64;
  CompletionQueue completions;
  std::array<Call, kUnderWay> calls;
  for (Call& call : calls) call.completions = &completions;
  for (Call& call : calls) submit(call);
  const auto turn = [&](bool again) {
    std::size_t count = 0;
    for (Completion* done = completions.wait(kNever, guard); done != nullptr; ++count) {
      Completion* next = done->next;
      if (again) submit(static_cast<Call&>(*done));
      done = next;
    }
    return count;
  };
  const Nanos begin = now_ns();
  Nanos now = begin;
  std::size_t count = 0;
  while (now < begin + duration) {
    for (int i = 0; i < 8; ++i) count += turn(true);
    now = now_ns();
  }
  for (std::size_t left = kUnderWay; left > 0;) left -= turn(false);
  return static_cast<double>(count) * 1e9 / static_cast<double>(now - begin);
}

double pool_throughput(Nanos duration) {
  Supervisor supervisor;
  PoolOptions options;
  options.threads = 2;
  Pool pool(supervisor, options);
  return throughput(
      [&](Call& call) {
        if (pool.submit(call) != Submitted::kAccepted) std::abort();
      },
      pool.yield_guard(), duration);
}

double locked_throughput(Nanos duration) {
  LockedPool pool(2);
  YieldGuard guard;
  return throughput([&](Call& call) { pool.submit(call); }, guard, duration);
}

void compare_throughput(const char* name, int cpu, int rounds, Nanos duration) {
  run_on(cpu);
  std::vector<double> ours;
  std::vector<double> floor;
  std::vector<double> ratio;
  for (int round = 0; round < rounds; ++round) {
    for (const int which : round % 2 == 0 ? std::array{0, 1} : std::array{1, 0}) {
      if (which == 0) {
        floor.push_back(locked_throughput(duration));
      } else {
        ours.push_back(pool_throughput(duration));
      }
    }
    ratio.push_back(ours.back() / floor.back());
  }
  std::printf("%-44s %10.0f / %10.0f calls/s = %6.3f\n", name, median(ours), median(floor), median(ratio));
  std::fflush(stdout);
  run_on(kUnpinned);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
  const Nanos duration = (argc > 2 ? std::atoi(argv[2]) : 300) * kMillisecond;
  const std::string only = argc > 3 ? argv[3] : "ab";

  const Nanos before = now_ns();
  std::uint64_t seed = 1;
  for (int i = 0; i < 100'000; ++i) seed = handler(seed);
  std::printf("%u processors, handler %lld ns, %d rounds of %lld ms; ours / floor = ratio\n",
              std::thread::hardware_concurrency(), static_cast<long long>((now_ns() - before) / 100'000), rounds,
              static_cast<long long>(duration / kMillisecond));

  if (only.find('a') != std::string::npos) {
    for (const Placement& at : {Placement{"alone, all on CPU 0", 0, 0, false},
                                Placement{"alone, caller on CPU 0, worker on CPU 1", 0, 1, false},
                                Placement{"alone, unpinned", kUnpinned, kUnpinned, false},
                                Placement{"all on CPU 0, busy process there", 0, 0, true},
                                Placement{"CPU 0 and 1, busy process on CPU 0", 0, 1, true}}) {
      compare_latency(at, 1, rounds, duration);
    }
    compare_latency({"two workers on CPU 1, busy process on CPU 0", 0, 1, true}, 2, rounds, duration);
  }
  if (only.find('b') != std::string::npos) {
    compare_throughput("64 under way, unpinned", kUnpinned, rounds, duration);
    compare_throughput("64 under way, all on CPU 0", 0, rounds, duration);
  }
}
