// Durations on the command line, as in configuration files: a whole number and a unit.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace busbar::cli {

inline constexpr std::string_view kDurationRule = "a duration like \"500ms\", \"10s\", \"5m\"";
inline constexpr std::chrono::hours kLongestDuration{24};

/// What `500ms`, `10s`, `5m`, `1h` stands for; nothing where it is none, or longer than `kLongestDuration`.
std::optional<std::chrono::milliseconds> read_duration(std::string_view text);

}  // namespace busbar::cli
