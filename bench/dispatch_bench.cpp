// A call from the message to the decoded answer: inline services and the parts of such a call in nanoseconds, pooled
// services against their floors, which run the same handler. Every figure is the median of alternating rounds.
//
// usage: dispatch_bench [--plugin FILE] [--rounds N] [--ms N] [--only inline|latency|throughput]
#include <busbar/payload.hpp>
#include <busbar/registry/registry.hpp>

#include <dlfcn.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "local_host.hpp"
#include "pool/completion_queue.hpp"
#include "sample.hpp"
#include "support.hpp"

namespace {

std::atomic<std::uint64_t> locks_taken{0};

}  // namespace

// In place of the C library's, to count: an inline call takes no lock.
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  using Lock = int (*)(pthread_mutex_t*);
  static const Lock real = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  locks_taken.fetch_add(1, std::memory_order_relaxed);
  return real(mutex);
}

namespace {

using namespace bench;  // NOLINT: a program of its own
using busbar::Message;
using busbar::Payload;
namespace registry = busbar::registry;

struct Options {
  std::string plugin = BENCH_PLUGIN;
  int rounds = 7;
  int ms = 300;
  std::string only;
};

// ------------------------------------------------------------------------------------------------------- inline calls

class Parts {
 public:
  explicit Parts(Bench& bench) : bench_(bench), sample_(make_sample()), ready_(Payload::of(sample_)) {}

  struct Part {
    const char* name;
    std::function<Nanos(int)> run;  // so many times; how long it took
  };
  std::vector<Part> all() {
    return {
        {"the whole call", [this](int n) { return timed(n, [this] { whole(); }); }},
        {"  message and id made", [this](int n) { return timed(n, [] { keep(Message("bench_inline")); }); }},
        {"  request encoded", [this](int n) { return timed(n, [this] { keep(Payload::of(sample_)); }); }},
        {"  dispatch of ready bytes", [this](int n) { return ready_bytes(n); }},
        {"    a clock reading", [this](int n) { return timed(n, [] { keep(now_ns()); }); }},
        {"    lookup in the registry", [this](int n) { return timed(n, [this] { lookup(); }); }},
        {"    in the handler: decoded and encoded", [this](int n) { return timed(n, [this] { handler(); }); }},
        {"  answer decoded", [this](int n) { return timed(n, [this] { keep(ready_.as<Sample>()); }); }},
    };
  }

 private:
  template <class Body>
  static Nanos timed(int n, Body body) {
    const Nanos begin = now_ns();
    for (int i = 0; i < n; ++i) body();
    return now_ns() - begin;
  }

  void whole() {
    Message message = Message::of("bench_inline", sample_);
    bench_.dispatcher().dispatch(message);
    keep(message.response().value_as<Sample>());
  }

  // What dispatching costs beyond making a message over bytes that are ready.
  Nanos ready_bytes(int n) {
    const Nanos made = timed(n, [this] { keep(ready_message()); });
    const Nanos dispatched = timed(n, [this] {
      Message message = ready_message();
      bench_.dispatcher().dispatch(message);
      check(message);
    });
    return dispatched - made;
  }
  Message ready_message() const {
    Message message = Message::blank();
    message.to_service("bench_inline").with_raw_request(Payload::borrow(ready_.bytes()));
    return message;
  }

  void lookup() {
    bench_.registry().lookup("bench_inline", [](const registry::ServiceEntry* entry) { keep(entry); });
  }

  void handler() {
    const auto request = ready_.as<Sample>();
    keep(Payload::of(request));
  }

  Bench& bench_;
  const Sample sample_;
  const Payload ready_;
};

void measure_inline(const Options& options) {
  run_on(0);
  Bench bench(options.plugin, 1);
  Parts parts(bench);
  const auto all = parts.all();
  std::vector<std::vector<double>> times(all.size());
  constexpr int kCalls = 100'000;
  for (int round = 0; round <= options.rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const double each = static_cast<double>(all[i].run(kCalls)) / kCalls;
      if (round != 0) times[i].push_back(each);  // the first warms up
    }
  }
  std::printf("\ninline service, pinned to CPU 0 (ns, median of %d rounds)\n", options.rounds);
  for (std::size_t i = 0; i < all.size(); ++i) std::printf("%-44s %8.1f\n", all[i].name, median(times[i]));

  const std::uint64_t before = locks_taken;
  all.front().run(kCalls);
  std::printf("%-44s %8llu\n", "locks taken by 100,000 whole calls",
              static_cast<unsigned long long>(locks_taken - before));
}

// ------------------------------------------------------------------------------------------------------ one at a time

// The floor's handler: what the plugin's does.
class SameHandler {
 public:
  void operator()() {
    const auto request = ready_.as<Sample>();
    answer_ = Payload::of(request);
  }

 private:
  const Payload ready_ = Payload::of(make_sample());
  Payload answer_;
};

class Dispatched final : public Handoff {
 public:
  explicit Dispatched(const std::string& plugin) : bench_(plugin, 1) {}
  void call() override {
    Message message("bench_pooled", Payload::borrow(ready_.bytes()));
    bench_.dispatcher().dispatch(message);
    check(message);
  }

 private:
  Bench bench_;
  const Payload ready_ = Payload::of(make_sample());
};

void measure_latency(const Options& options) {
  std::printf("\npooled service, one at a time, against a bare futex hand-off (us: ours / floor = ratio)\n");
  for (const Placement& at :
       {Placement{"all on CPU 0", 0, 0, false}, Placement{"caller on CPU 0, worker on 1", 0, 1, false},
        Placement{"all on CPU 0, busy process there", 0, 0, true},
        Placement{"CPU 0 and 1, busy process on CPU 0", 0, 1, true}}) {
    compare_latency(
        at, options.rounds, options.ms * kMillisecond, [] { return std::make_unique<BareFutex>(SameHandler()); },
        [&] { return std::make_unique<Dispatched>(options.plugin); });
  }
}

// ------------------------------------------------------------------------------------------------------ many under way

constexpr std::size_t kUnderWay = 64;

struct Slot : Completion, Task {
  void run() noexcept override { handler(); }
  void finish() noexcept override { completions->push(*this); }
  void drop() noexcept override { std::abort(); }
  CompletionQueue* completions = nullptr;
  SameHandler handler;
};

// Calls a second, with 64 under way from this thread: each is submitted again when it has come back.
double throughput(const std::function<void(Slot&)>& submit, YieldGuard& guard, Nanos duration) {
  CompletionQueue completions;
  std::array<Slot, kUnderWay> slots;
  for (Slot& slot : slots) slot.completions = &completions;
  for (Slot& slot : slots) submit(slot);
  const auto turn = [&](bool again) {
    std::size_t count = 0;
    for (Completion* done = completions.wait(kNever, guard); done != nullptr; ++count) {
      Completion* next = done->next;
      if (again) submit(static_cast<Slot&>(*done));
      done = next;
    }
    return count;
  };
  const Nanos begin = now_ns();
  Nanos now = begin;
  std::size_t count = 0;
  for (; now < begin + duration; now = now_ns()) {
    for (int i = 0; i < 8; ++i) count += turn(true);
  }
  for (std::size_t left = kUnderWay; left > 0;) left -= turn(false);
  return static_cast<double>(count) * 1e9 / static_cast<double>(now - begin);
}

double dispatched_throughput(const Options& options) {
  Bench bench(options.plugin, 2);
  const Payload ready = Payload::of(make_sample());
  const auto submit = [&](Slot& slot) {
    bench.dispatcher().dispatch_async(Message("bench_pooled", Payload::borrow(ready.bytes())),
                                      [&slot](Message&& outcome) {
                                        check(outcome);
                                        slot.completions->push(slot);
                                      });
  };
  return throughput(submit, bench.pool().yield_guard(), options.ms * kMillisecond);
}

double locked_throughput(const Options& options) {
  LockedPool pool(2);
  YieldGuard guard;
  return throughput([&](Slot& slot) { pool.submit(slot); }, guard, options.ms * kMillisecond);
}

void measure_throughput(const Options& options) {
  std::printf(
      "\npooled service, 64 under way from one thread, against a pool of two with mutex and condition variable\n");
  for (const int cpu : {kUnpinned, 0}) {
    run_on(cpu);
    std::vector<double> ours, floor, ratio;
    for (int round = 0; round < options.rounds; ++round) {
      for (const bool first : {round % 2 == 0, round % 2 != 0}) {
        if (first) {
          floor.push_back(locked_throughput(options));
        } else {
          ours.push_back(dispatched_throughput(options));
        }
      }
      ratio.push_back(ours.back() / floor.back());
    }
    std::printf("%-44s %10.0f / %10.0f calls/s = %6.3f\n", cpu == kUnpinned ? "unpinned" : "all on CPU 0", median(ours),
                median(floor), median(ratio));
  }
  run_on(kUnpinned);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures dispatch against its floors.", "dispatch_bench");
  app.add_option("--plugin", options.plugin, "The benchmark's plugin");
  app.add_option("--rounds", options.rounds, "Alternating rounds, at least 5 for a figure");
  app.add_option("--ms", options.ms, "How long each round of a hand-off takes");
  app.add_option("--only", options.only, "inline, latency or throughput");
  CLI11_PARSE(app, argc, argv);
  std::printf("%u processors, %d rounds\n", std::thread::hardware_concurrency(), options.rounds);
  if (options.only.empty() || options.only == "inline") measure_inline(options);
  if (options.only.empty() || options.only == "latency") measure_latency(options);
  if (options.only.empty() || options.only == "throughput") measure_throughput(options);
}
