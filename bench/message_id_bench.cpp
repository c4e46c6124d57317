// Ten million message ids made on eight threads: what one costs, and whether all are distinct. The floor is what any id
// needs, 22 bytes written from two words of a generator that the standard library has.
//
// usage: message_id_bench [ROUNDS]
#include <busbar/message_id.hpp>

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using namespace bench;  // NOLINT: a program of its own

constexpr std::size_t kThreads = 8;
constexpr std::size_t kIds = 10'000'000;
using Id = std::array<char, 22>;

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Fills `ids`, each thread its part; returns the processor time for one, in nanoseconds.
template <class MakeSource>
double ns_each(std::vector<Id>& ids, MakeSource make_source) {
  std::array<double, kThreads> seconds{};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto make = make_source();
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(t * (kIds / kThreads));
      const double begun = thread_seconds();
      std::for_each_n(first, kIds / kThreads, make);
      seconds[t] = thread_seconds() - begun;
    });
  }
  double all = 0;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads[t].join();
    all += seconds[t];
  }
  return all * 1e9 / static_cast<double>(kIds);
}

auto ours() {
  return [](Id& id) {
    const busbar::Text made = busbar::new_message_id();
    std::memcpy(id.data(), made.view().data(), id.size());
  };
}

auto floor_source() {
  return [random = std::mt19937_64(std::random_device{}())](Id& id) mutable {
    const std::array<std::uint64_t, 3> words{random(), random(), 0};
    std::memcpy(id.data(), words.data(), id.size());
  };
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  std::vector<Id> ids(kIds);
  std::vector<double> made, floor, ratio;
  std::size_t twice = 0;
  for (int round = 0; round < rounds; ++round) {
    floor.push_back(ns_each(ids, floor_source));
    made.push_back(ns_each(ids, ours));
    ratio.push_back(made.back() / floor.back());
    std::sort(ids.begin(), ids.end());
    twice += static_cast<std::size_t>(ids.end() - std::unique(ids.begin(), ids.end()));
  }
  std::printf(
      "%zu message ids on %zu threads, unpinned: %.1f ns each / %.1f ns = %.2f, made twice: %zu "
      "(asked: 50 ns, none)\n",
      kIds, kThreads, median(made), median(floor), median(ratio), twice);
  return twice == 0 ? 0 : 1;
}
