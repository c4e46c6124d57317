// The pool's hand-off against its floors: a bare futex hand-off for a lone caller, and a pool with a mutex and a
// condition variable for many calls under way. Every figure is the median of alternating rounds; what counts are the
// ratios.
//
// usage: pool_bench [ROUNDS [MILLISECONDS PER ROUND [a | b]]]   (a: one at a time, b: many under way)
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "pool/completion_queue.hpp"
#include "pool/pool.hpp"
#include "pool/waiter.hpp"
#include "support.hpp"

namespace {

using namespace bench;  // NOLINT: a program of its own

// About 250 ns of work that the compiler cannot leave out.
std::uint64_t handler(std::uint64_t seed) {
  for (int i = 0; i < 200; ++i) {
    seed = (seed ^ (seed >> 29)) * 0xbf58476d1ce4e5b9U;
    asm volatile("" : "+r"(seed));
  }
  return seed;
}

// ------------------------------------------------------------------------------------------------ one at a time

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

// ------------------------------------------------------------------------------------------------ many under way

struct Call : Completion, Task {
  void run() noexcept override { result = handler(result); }
  void finish() noexcept override { completions->push(*this); }
  void drop() noexcept override { std::abort(); }

  CompletionQueue* completions = nullptr;
  std::uint64_t result = 1;
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

  const auto compare = [&](const Placement& at, unsigned threads) {
    compare_latency(
        at, rounds, duration,
        [] { return std::make_unique<BareFutex>([last = std::uint64_t{1}]() mutable { last = handler(last); }); },
        [&] { return std::make_unique<PoolHandoff>(threads); });
  };
  if (only.find('a') != std::string::npos) {
    for (const Placement& at : {Placement{"alone, all on CPU 0", 0, 0, false},
                                Placement{"alone, caller on CPU 0, worker on CPU 1", 0, 1, false},
                                Placement{"alone, unpinned", kUnpinned, kUnpinned, false},
                                Placement{"all on CPU 0, busy process there", 0, 0, true},
                                Placement{"CPU 0 and 1, busy process on CPU 0", 0, 1, true}}) {
      compare(at, 1);
    }
    compare({"two workers on CPU 1, busy process on CPU 0", 0, 1, true}, 2);
  }
  if (only.find('b') != std::string::npos) {
    compare_throughput("64 under way, unpinned", kUnpinned, rounds, duration);
    compare_throughput("64 under way, all on CPU 0", 0, rounds, duration);
  }
}
