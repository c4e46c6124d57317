// The numbers that a host, its callers and its plugins agree on, and the bounds of what a host may be told.
#pragma once

#include <cstddef>
#include <cstdint>

namespace busbar {

// How long a call may take, in milliseconds.
inline constexpr std::uint32_t kUsualTimeoutMs = 5'000;     ///< where neither the caller nor the service says (C-D5)
inline constexpr std::uint32_t kMaxTimeoutMs = 86'400'000;  ///< a day: the longest that anybody may say

// How often nodes show each other that they live, and for how long one may be silent, in milliseconds.
inline constexpr std::uint32_t kShortestHeartbeatMs = 10;
inline constexpr std::uint32_t kLongestSilenceMs = 3'600'000;  ///< ZeroMQ counts heartbeats in an int, and so on

// How many other nodes one knows at a time.
inline constexpr unsigned kUsualMaxPeers = 1'000;
inline constexpr unsigned kMostMaxPeers = 10'000;  ///< one message names no more

// How large a message may be, and how much of them may wait for one other node, in bytes.
inline constexpr std::size_t kSmallestSize = 1024;
inline constexpr std::size_t kLargestMessage = std::size_t{1} << 30;
inline constexpr std::size_t kLargestPeerQueue = 64 * kLargestMessage;

// How many calls of one other node or client may be under way here.
inline constexpr unsigned kUsualPeerCalls = 10'000;
inline constexpr unsigned kMostPeerCalls = 10'000'000;

}  // namespace busbar
