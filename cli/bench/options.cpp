#include "bench/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>
#include <string_view>

#include "duration.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

std::optional<double> read_rate(std::string_view text) {
  if (text.ends_with("/s")) text.remove_suffix(2);
  double rate = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // Written so that what is no number is none of them.
  return rate >= kLowestRate && rate <= kHighestRate ? std::optional(rate) : std::nullopt;
}

[[noreturn]] void refuse(const char* option, const std::string& expected, const std::string& found) {
  throw CLI::ValidationError(option, "expected " + expected + ", found " + in_quotes(found));
}

void add_duration(CLI::App& verb, const char* option, std::chrono::milliseconds& value, bool may_be_none,
                  const char* description) {
  const auto read = [option, &value, may_be_none](const std::string& text) {
    const auto duration = read_duration(text);
    if (!duration || (duration->count() == 0 && !may_be_none)) {
      refuse(option, std::string(kDurationRule) + ", at most 24h", text);
    }
    value = *duration;
  };
  verb.add_option_function<std::string>(option, read, description)->option_text("TIME");
}

}  // namespace

void add_bench_options(CLI::App& verb, BenchOptions& options) {
  verb.add_option("--callers", options.callers,
                  "how many calls may be under way at a time, 1 to " + std::to_string(kMostCallers) +
                      " (default: 1, with --rate 64)")
      ->check(CLI::Range(std::uint32_t{1}, kMostCallers))
      ->option_text("N");
  const auto read = [&options](const std::string& text) {
    options.rate = read_rate(text);
    if (!options.rate) refuse("--rate", "calls a second, 0.001 to 10000000, like \"200/s\"", text);
  };
  verb.add_option_function<std::string>("--rate", read,
                                        "begin so many calls a second, whatever becomes of them (default: each caller "
                                        "calls again when it is answered)")
      ->option_text("R/s");
  add_duration(verb, "--duration", options.duration, false, "for how long to measure (default: 10s)");
  add_duration(verb, "--warm-up", options.warm_up, true, "for how long to call before that (default: 1s)");
  verb.add_flag("--progress", options.progress,
                "show each second how it goes, also where standard error is no terminal");
}

}  // namespace busbar::cli
