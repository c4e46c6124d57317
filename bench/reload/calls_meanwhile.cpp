// Calls from another process at a third of the load that saturates the host, while one plugin after the other takes the
// place of the one that serves them, against the same without reloads.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

#include "node/node.hpp"
#include "pool/completion_queue.hpp"
#include "reload/reload.hpp"
#include "reload/reloaded_host.hpp"
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

// A thread that replaces the plugin again and again while it lives.
class Reloads {
 public:
  Reloads(ReloadedHost& host, int every_ms)
      : thread_([&host, every_ms](const std::stop_token& stop) {
          auto next = std::chrono::steady_clock::now();
          while (!stop.stop_requested()) {
            host.move_in();
            std::this_thread::sleep_until(next += std::chrono::milliseconds(every_ms));
          }
        }) {}

 private:
  std::jthread thread_;
};

struct Figures {
  std::vector<double> p50, p99;
  void add(const Latency& latency) {
    p50.push_back(latency.p50 / kMicrosecond);
    p99.push_back(latency.p99 / kMicrosecond);
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
  Figures without, with;
  std::vector<double> ratio;
  const std::uint64_t before = host.generation();
  for (int round = 0; round < options.rounds; ++round) {
    for (const bool reloads : {round % 2 == 0, round % 2 != 0}) {
      if (reloads) {
        const Reloads replacing(host, options.every_ms);
        with.add(caller.call_at(pace, duration));
      } else {
        without.add(caller.call_at(pace, duration));
      }
    }
    ratio.push_back(with.p99.back() / without.p99.back());
  }
  run_on(kUnpinned);
  std::printf(
      "%-28s %7.0f a second   p50 %8.2f / %8.2f us   p99 %8.2f / %8.2f us = %6.3f   %llu reloads, %llu failed\n",
      at.name, pace, median(with.p50), median(without.p50), median(with.p99), median(without.p99), median(ratio),
      static_cast<unsigned long long>(host.generation() - before), static_cast<unsigned long long>(caller.failed()));
  std::fflush(stdout);
}

}  // namespace

void measure_calls_meanwhile(const ReloadOptions& options) {
  std::printf(
      "\ncalls at a third of the saturating load, a reload each %d ms, %d rounds of %d s (with / without = ratio)\n",
      options.every_ms, options.rounds, options.seconds);
  measure_at({"unpinned", kUnpinned, kUnpinned, false}, options);
  measure_at({"caller on CPU 0, host on 1", 0, 1, false}, options);
}

}  // namespace bench
