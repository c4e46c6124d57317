#include "bench/progress.hpp"

#include <string>

#include "bench/numbers.hpp"

namespace busbar::cli {

namespace {

constexpr const char* kClearLine = "\r\033[K";

std::string line_of(const Progress::State& state) {
  const std::string rate = rate_text(state.answers_per_s) + "/s";
  if (state.passed.count() < 0) return "warming up  " + rate;
  const std::string times = "p99 " + short_time(state.p99) + "  failures " + grouped(state.failures);
  if (state.waits_for_the_last) return "waiting for the last answers  " + times;
  return std::to_string(state.passed.count()) + " s of " +
         rate_text(static_cast<double>(state.duration.count()) / 1e3) + " s  " + rate + "  " + times;
}

}  // namespace

Progress::~Progress() {
  if (style_ == Style::over_itself) out_ << kClearLine << std::flush;
}

void Progress::show(const State& state) {
  if (style_ == Style::over_itself) out_ << kClearLine << line_of(state) << std::flush;
  if (style_ == Style::lines) out_ << line_of(state) << std::endl;
}

}  // namespace busbar::cli
