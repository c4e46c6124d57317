// Discovery among 10,000 services against discovery among 10: the same lookups, in alternating rounds. Names are drawn
// at random, from 4,096 of the 10,000 and from all 10; the draws are made before the clock runs.
//
// usage: lookup_bench [ROUNDS]
#include <busbar/registry/registry.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "support.hpp"

namespace {

using namespace bench;             // NOLINT: a program of its own
using namespace busbar::registry;  // NOLINT

constexpr std::size_t kDraws = 1 << 16;

std::string name_of(std::size_t service) { return "orders_service_" + std::to_string(100'000 + service * 7); }

// A registry with so many services of one router, and names to look up there.
class Subject {
 public:
  Subject(std::size_t services, std::size_t drawn_from) {
    std::vector<std::shared_ptr<LocalProvider>> providers;
    for (std::size_t i = 0; i < services; ++i) {
      providers.push_back(std::make_shared<LocalProvider>(name_of(i), "bench", Visibility::public_));
      by_name_.emplace(name_of(i), providers.back().get());
    }
    if (registry_.register_router("bench", std::move(providers))) std::abort();
    std::mt19937 random(42);
    std::uniform_int_distribution<std::size_t> draw(0, drawn_from - 1);
    for (std::size_t i = 0; i < drawn_from; ++i) names_.push_back(name_of(i * (services / drawn_from)));
    for (std::size_t i = 0; i < kDraws; ++i) draws_.push_back(names_[draw(random)]);
  }

  // As a dispatch does it first: who provides it here.
  double ns_of_lookup() const {
    return ns_each([this](std::string_view name) {
      return registry_.lookup_local(name, [](LocalProvider* local) { return local; });
    });
  }
  // For comparison: what a program without a registry would use, without any lock.
  double ns_of_hash_map() const {
    return ns_each([this](std::string_view name) { return by_name_.find(name)->second; });
  }

 private:
  template <class Find>
  double ns_each(Find find) const {
    constexpr int kPasses = 40;
    std::uintptr_t seen = 0;
    for (const std::string_view name : draws_) seen += reinterpret_cast<std::uintptr_t>(find(name));  // warms up
    const Nanos begun = now_ns();
    for (int pass = 0; pass < kPasses; ++pass) {
      for (const std::string_view name : draws_) seen += reinterpret_cast<std::uintptr_t>(find(name));
    }
    const Nanos took = now_ns() - begun;
    asm volatile("" : : "r"(seen));
    return static_cast<double>(took) / (kPasses * kDraws);
  }

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  Registry registry_;
  std::unordered_map<std::string, LocalProvider*, Hash, std::equal_to<>> by_name_;
  std::vector<std::string> names_;
  std::vector<std::string_view> draws_;
};

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  run_on(0);
  const Subject many(10'000, 4'096), few(10, 10);
  std::vector<double> ours_many, ours_few, ratio, map_many, map_few;
  for (int round = 0; round < rounds; ++round) {
    for (const bool is_many : {round % 2 == 0, round % 2 != 0}) {
      const Subject& subject = is_many ? many : few;
      (is_many ? ours_many : ours_few).push_back(subject.ns_of_lookup());
      (is_many ? map_many : map_few).push_back(subject.ns_of_hash_map());
    }
    ratio.push_back(ours_many.back() / ours_few.back());
  }
  std::printf("lookup, pinned to CPU 0: among 10,000 %.1f ns, among 10 %.1f ns, ratio %.2f (asked: 30 ns, 1.5)\n",
              median(ours_many), median(ours_few), median(ratio));
  std::printf("std::unordered_map without a lock:  %.1f ns, %.1f ns\n", median(map_many), median(map_few));
}
