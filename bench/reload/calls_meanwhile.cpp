// Calls from another process at a third of the load that saturates the host, while one plugin after the other takes the
// place of the one that serves them, against the same without reloads, and while processes begin and end.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "node/node.hpp"
#include "pool/completion_queue.hpp"
#include "reload/reload.hpp"
#include "reload/reloaded_host.hpp"
#include "scheduling/give_way.hpp"
#include "support.hpp"

namespace bench {

namespace {

using busbar::Message;

constexpr std::size_t kUnderWay = 64;
constexpr std::size_t kToSaturate = 100'000;
constexpr int kTick = 200'000;  // ns from one burst of calls to the next

const busbar::Payload& nothing() {
  static const busbar::Payload payload = busbar::Payload::from_json(nlohmann::json::object());
  return payload;
}

class Caller {
 public:
  explicit Caller(const std::string& seed) : node_({.name = "caller", .join = {seed}}) {
    if (!node_.wait_for("version", std::chrono::seconds(10))) throw std::runtime_error("the host was not found");
  }

  // Calls a second, with kUnderWay of them under way.
  double saturate() {
    CompletionQueue completions;
    std::array<Completion, kUnderWay> slots;
    const auto begin = [&](Completion& slot) {
      node_.dispatch_async(Message("version", nothing()), [&](Message&& outcome) {
        note(outcome);
        completions.push(slot);
      });
    };
    const Nanos before = now_ns();
    std::size_t begun = 0;
    for (; begun < kUnderWay; ++begun) begin(slots[begun]);
    for (std::size_t ended = 0; ended < kToSaturate;) {
      for (Completion* done = completions.wait(kNever, guard_); done != nullptr; ++ended) {
        Completion* next = done->next;
        if (begun++ < kToSaturate) begin(*done);
        done = next;
      }
    }
    return static_cast<double>(kToSaturate) * kSecond / static_cast<double>(now_ns() - before);
  }

  // Calls at this pace, whatever becomes of those before; each counts from when it was due.
  Latency call_at(double per_second, Nanos duration) {
    const auto count = static_cast<std::size_t>(per_second * static_cast<double>(duration) / kSecond);
    std::vector<Nanos> took(count);
    std::atomic<std::size_t> ended{0};
    const Nanos begun = now_ns();
    std::size_t next = 0;
    for (Nanos tick = begun; next < count; tick += kTick) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(tick - now_ns()));
      const auto due = static_cast<std::size_t>(static_cast<double>(now_ns() - begun) * per_second / kSecond);
      for (; next < std::min(due, count); ++next) {
        Nanos& mine = took[next];
        const Nanos from = begun + static_cast<Nanos>(static_cast<double>(next) * kSecond / per_second);
        node_.dispatch_async(Message("version", nothing()), [&, from](Message&& outcome) {
          note(outcome);
          mine = now_ns() - from;
          ++ended;
        });
      }
    }
    while (ended < count) ::usleep(1'000);
    std::sort(took.begin(), took.end());
    return {static_cast<double>(took[count / 2]), static_cast<double>(took[count * 99 / 100])};
  }

  std::uint64_t failed() const { return failed_; }

 private:
  void note(const Message& outcome) {
    if (!outcome.response().succeeded()) ++failed_;
  }

  busbar::Node node_;
  YieldGuard guard_;
  std::atomic<std::uint64_t> failed_{0};
};

// A thread that does the same again and again while it lives.
class Again {
 public:
  Again(int every_ms, std::function<void()> what)
      : thread_([every_ms, what = std::move(what)](const std::stop_token& stop) {
          auto next = std::chrono::steady_clock::now();
          while (!stop.stop_requested()) {
            what();
            std::this_thread::sleep_until(next += std::chrono::milliseconds(every_ms));
          }
        }) {}

 private:
  std::jthread thread_;
};

// What nobody can do without who tries a plugin in a process of its own: one like the host's begins, and ends. Behind
// all others, as the host's does.
void begin_a_process(const Placement& at) {
  std::thread([&at] {
    run_on(at.worker);
    busbar::host::give_way();
    const std::string program = std::filesystem::path(own_program()).parent_path() / "busbard";
    std::array<char*, 3> arguments{const_cast<char*>(program.c_str()), const_cast<char*>("--version"), nullptr};
    posix_spawn_file_actions_t quiet;
    ::posix_spawn_file_actions_init(&quiet);
    ::posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    const int error = ::posix_spawn(&child, program.c_str(), &quiet, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&quiet);
    if (error != 0 || ::waitpid(child, nullptr, 0) != child) std::abort();
  }).join();
}

struct Figures {
  std::vector<double> p50, p99;
  void add(const Latency& latency) {
    p50.push_back(latency.p50 / kMicrosecond);
    p99.push_back(latency.p99 / kMicrosecond);
  }
  void print(const char* what, const Figures& alone) const {
    std::vector<double> ratio;  // in the same round
    for (std::size_t i = 0; i < p99.size(); ++i) ratio.push_back(p99[i] / alone.p99[i]);
    std::printf("  %-28s p50 %8.2f us   p99 %8.2f us, by that alone %6.3f\n", what, median(p50), median(p99),
                median(ratio));
  }
};

void measure_at(const Placement& at, const ReloadOptions& options) {
  run_on(at.worker);
  ReloadedHost host;
  run_on(at.caller);
  Caller caller(host.seed());
  caller.saturate();
  std::vector<double> saturating;
  for (int i = 0; i < options.rounds; ++i) saturating.push_back(caller.saturate());
  const double pace = median(saturating) / 3;
  const Nanos duration = options.seconds * kSecond;
  Figures alone, reloads, floor;
  const std::uint64_t before = host.generation();
  for (int round = 0; round < options.rounds; ++round) {
    // Each comes first in turn.
    for (int i = 0; i < 3; ++i) {
      const int kind = (round + i) % 3;
      std::optional<Again> meanwhile;
      if (kind == 1) meanwhile.emplace(options.every_ms, [&] { host.move_in(); });
      if (kind == 2) meanwhile.emplace(options.every_ms, [&] { begin_a_process(at); });
      (kind == 0 ? alone : kind == 1 ? reloads : floor).add(caller.call_at(pace, duration));
    }
  }
  const std::uint64_t count = host.generation() - before;
  run_on(kUnpinned);
  std::printf("%s: %.0f calls a second, %llu reloads, %llu failed\n", at.name, pace,
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(caller.failed()));
  alone.print("nothing else", alone);
  reloads.print("a plugin is replaced", alone);
  floor.print("the floor: a process begins", alone);
  std::fflush(stdout);
}

}  // namespace

void measure_calls_meanwhile(const ReloadOptions& options) {
  std::printf("\ncalls at a third of the saturating load, a reload each %d ms, %d rounds of %d s\n", options.every_ms,
              options.rounds, options.seconds);
  measure_at({"unpinned", kUnpinned, kUnpinned, false}, options);
  measure_at({"caller on CPU 0, host on 1", 0, 1, false}, options);
}

}  // namespace bench
