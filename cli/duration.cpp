#include "duration.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace busbar::cli {

std::optional<std::chrono::milliseconds> read_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint32_t>, 4> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  for (const auto& [unit, factor] : kUnits) {
    if (std::string_view(end, text.data() + text.size()) != unit) continue;
    const std::chrono::milliseconds duration(std::int64_t{number} * factor);
    return duration <= kLongestDuration ? std::optional(duration) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace busbar::cli
