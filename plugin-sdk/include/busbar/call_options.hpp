// What a caller may say beside the message: how long it may take, and which of several providers is to serve it.
#pragma once

#include <busbar/limits.hpp>
#include <busbar/strategy.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace busbar {

/// Ownership: borrows the key until the dispatch has returned.
/// Example: `context.call("forecast", request, {.timeout = 2s, .sticky_key = request.town})`.
struct CallOptions {
  std::chrono::milliseconds timeout{};  ///< of the whole call; 0: the service's own, else 5 s
  Strategy strategy = Strategy::standard;
  /// Calls with the same key go to the same provider, as long as that is there; goes before `strategy`. Empty: no key.
  std::string_view sticky_key{};
};

namespace detail {

/// In whole milliseconds as a host takes them. A time that is over already is the shortest one, not the longest.
inline std::uint32_t timeout_ms_of(std::chrono::milliseconds timeout) noexcept {
  if (timeout.count() == 0) return 0;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(timeout.count(), 1, kMaxTimeoutMs));
}

/// A key goes before a strategy.
inline Strategy strategy_wanted(const CallOptions& given) noexcept {
  return given.sticky_key.empty() ? given.strategy : Strategy::sticky;
}

/// For those who give a time alone.
template <class Rep, class Period>
CallOptions only_timeout(std::chrono::duration<Rep, Period> timeout) {
  return {.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(timeout)};
}

}  // namespace detail
}  // namespace busbar
