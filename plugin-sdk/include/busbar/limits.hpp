// How long a call may take, in milliseconds: the numbers that a host, its callers and its plugins agree on.
#pragma once

#include <cstdint>

namespace busbar {

inline constexpr std::uint32_t kUsualTimeoutMs = 5'000;     ///< where neither the caller nor the service says (C-D5)
inline constexpr std::uint32_t kMaxTimeoutMs = 86'400'000;  ///< a day: the longest that anybody may say

}  // namespace busbar
