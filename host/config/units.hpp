// Durations and sizes as text with a unit: "30s", "500ms", "16MiB".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace busbar::host {

/// A whole number and one of `ms`, `s`, `m`, `h`; nothing if it is anything else, or too large for 64 bits.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// Bytes: a whole number and one of `B`, `KiB`, `MiB`, `GiB`; nothing if it is anything else, or too large.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// A whole number without sign, unit or space.
std::optional<std::uint64_t> parse_whole_number(std::string_view text);

/// In the largest unit that shows it exactly: 90,000 ms are `90s`, 120,000 ms are `2m`.
std::string format_duration(std::chrono::milliseconds duration);
std::string format_size(std::uint64_t bytes);

}  // namespace busbar::host
