// How a benchmark calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace CLI {
class App;
}

namespace busbar::cli {

inline constexpr std::uint32_t kMostCallers = 10'000;
inline constexpr double kHighestRate = 10'000'000;
inline constexpr double kLowestRate = 0.001;

struct BenchOptions {
  std::optional<std::uint32_t> callers;        // how many calls may be under way; absent: 1, or 64 with a rate
  std::optional<double> rate;                  // calls a second; absent: each caller calls again when it is answered
  std::chrono::milliseconds duration{10'000};  // what is measured
  std::chrono::milliseconds warm_up{1'000};    // before it
  bool progress = false;                       // also where standard error is no terminal

  std::uint32_t callers_or_usual() const { return callers.value_or(rate ? 64 : 1); }
};

/// Has the verb read them. What they may not be the parser refuses. Ownership: `options` outlives the parsing.
void add_bench_options(CLI::App& verb, BenchOptions& options);

}  // namespace busbar::cli
