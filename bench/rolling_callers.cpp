// 16 callers that call without end while bench/rolling_restart.sh stops and starts the hosts that serve them.
//
// usage: rolling_callers SEED, then on its standard input, a line each: "restarting", "whole", and in the end "over".
// Answers each line, when it has been taken, with a line.
#include <busbar/thread_safety.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "node/node.hpp"
#include "pool/clock.hpp"
#include "sample.hpp"

namespace {

using busbar::Mutex;
using busbar::MutexLock;
using namespace std::chrono_literals;
using busbar::host::now_ns;

constexpr int kCallers = 16;
// Of four callers each: the figures are of quick services, the last makes that something is always under way.
constexpr std::array kServices{"bench_inline", "bench_pooled", "bench_pooled", "bench_slow"};

class Callers {
 public:
  explicit Callers(const std::string& seed) : node_({.name = "callers", .join = {seed}}) {
    if (!node_.wait_for("bench_slow", 10s)) throw std::runtime_error("nobody offers the benchmark's services");
    for (int i = 0; i < kCallers; ++i) threads_.emplace_back([this, i] { call_on(i); });
  }
  void restarting(bool now) { restarting_ = now; }
  void stop() {
    over_ = true;
    threads_.clear();
  }
  void print() {
    const MutexLock lock(mutex_);
    std::printf("%zu calls, %zu of them while a host was restarted; failed: %zu\n", calls_, ms_.size(),
                failures_.size());
    for (const std::string& failure : failures_) std::printf("  %s\n", failure.c_str());
    if (ms_.empty()) return;
    std::sort(ms_.begin(), ms_.end());
    std::printf("quick ones meanwhile: median %.3f ms, 99th percentile %.3f ms, most %.3f ms\n", ms_[ms_.size() / 2],
                ms_[ms_.size() * 99 / 100], ms_.back());
  }

 private:
  void call_on(int number) {
    const std::string service = kServices[static_cast<std::size_t>(number) % kServices.size()];
    bench::Sample sample = bench::make_sample();
    while (!over_) {
      ++sample.id;
      const bool counts = restarting_;
      const auto begun = now_ns();
      const auto response = node_.dispatch(busbar::Message::of(service, sample)).response();
      const double ms = static_cast<double>(now_ns() - begun) / 1e6;
      const MutexLock lock(mutex_);
      ++calls_;
      if (counts && service != "bench_slow") ms_.push_back(ms);
      if (response.succeeded()) continue;
      failures_.push_back(service + ": " + std::string(response.error_code()) + " " +
                          std::string(response.bad_rpc_kind()) + ": " + std::string(response.text()));
    }
  }

  busbar::Node node_;
  std::atomic<bool> restarting_{false};
  std::atomic<bool> over_{false};
  Mutex mutex_;
  std::size_t calls_ BUSBAR_GUARDED_BY(mutex_) = 0;
  std::vector<double> ms_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::string> failures_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: rolling_callers SEED\n", stderr), 2;
  Callers callers(argv[1]);
  std::cout << "calling" << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "over";) {
    callers.restarting(line == "restarting");
    std::cout << line << std::endl;
  }
  callers.stop();
  callers.print();
}
