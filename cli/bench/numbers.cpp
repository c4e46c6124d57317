#include "bench/numbers.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace busbar::cli {

namespace {

std::string with_decimals(double value, int decimals) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

/// Three digits that count.
std::string three_digits(double value) {
  if (value < 9.995) return with_decimals(value, 2);
  return with_decimals(value, value < 99.95 ? 1 : 0);
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string rate_text(double per_s) {
  if (per_s >= 99.95) return grouped(static_cast<std::uint64_t>(std::llround(per_s)));
  std::string text = with_decimals(per_s, per_s < 1 ? 3 : 1);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string short_time(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 999.5e3) return three_digits(ns / 1e3) + " us";
  if (ns < 999.5e6) return three_digits(ns / 1e6) + " ms";
  return three_digits(ns / 1e9) + " s";
}

}  // namespace busbar::cli
