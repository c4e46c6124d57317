#include "config/units.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace busbar::host {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// The largest last: formatting looks for it from behind.
constexpr std::array<Unit, 4> kDurationUnits = {{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<Unit, 4> kSizeUnits = {{{"B", 1}, {"KiB", 1U << 10}, {"MiB", 1U << 20}, {"GiB", 1U << 30}}};

using Units = std::array<Unit, 4>;

/// At most `largest` after the unit has been multiplied in.
std::optional<std::uint64_t> parse(std::string_view text, const Units& units, std::uint64_t largest) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return std::nullopt;
  const auto number = parse_whole_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    return *number <= largest / unit.factor ? std::optional(*number * unit.factor) : std::nullopt;
  }
  return std::nullopt;
}

std::string format(std::uint64_t number, const Units& units) {
  std::size_t unit = units.size() - 1;
  while (unit > 0 && (number == 0 || number % units[unit].factor != 0)) --unit;
  return std::to_string(number / units[unit].factor) + std::string(units[unit].name);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto count = parse(text, kDurationUnits, std::numeric_limits<std::int64_t>::max());
  if (!count) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*count));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizeUnits, std::numeric_limits<std::uint64_t>::max());
}

std::optional<std::uint64_t> parse_whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::string format_size(std::uint64_t bytes) { return format(bytes, kSizeUnits); }

}  // namespace busbar::host
