// Numbers as people read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace busbar::cli {

/// `40,112`.
std::string grouped(std::uint64_t number);
/// Calls a second: grouped, with decimals where they say something.
std::string rate_text(double per_s);
/// A duration in the unit that fits: `41.3 us`, `1.24 ms`, `3.05 s`.
std::string short_time(std::chrono::nanoseconds duration);

}  // namespace busbar::cli
