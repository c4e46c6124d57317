// How a benchmark goes, while it goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>

#include "bench/histogram.hpp"

namespace busbar::cli {

/// One line, written over itself on a terminal. Ownership: the stream outlives it. Threads: one.
class Progress {
 public:
  enum class Style { none, over_itself, lines };
  Progress(std::ostream& out, Style style) noexcept : out_(out), style_(style) {}
  /// Leaves no line behind on a terminal.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  struct State {
    std::chrono::seconds passed{};  ///< since the measuring began; less than 0: it warms up
    std::chrono::milliseconds duration{};
    bool waits_for_the_last = false;
    double answers_per_s = 0;  ///< since the last time
    std::uint64_t failures = 0;
    Histogram::Duration p99{};
  };
  void show(const State& state);
  bool is_shown() const noexcept { return style_ != Style::none; }

 private:
  std::ostream& out_;
  const Style style_;
};

}  // namespace busbar::cli
