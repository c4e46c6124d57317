// How a call can end, as it is counted: the kinds of a response (contract, "Response"), where those of an error that
// the system itself gives are told apart. What applications call their errors is not, because there is no end of it.
#pragma once

#include <busbar/response.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace busbar::host {

enum class Outcome : std::uint8_t {
  ok,
  created,
  service_unavailable,
  service_timeout,
  validation_error,
  missing_id,
  error,  ///< with a code of the application's own
  forbidden,
  try_another_node,
  no_nodes_available,
  badrpc,
  overloaded,
  malformed,
  would_block,
};
inline constexpr std::size_t kOutcomes = 14;

inline constexpr std::array<std::string_view, kOutcomes> kOutcomeNames = {
    "ok",         "created",    "service_unavailable", "service_timeout",  "validation_error",
    "missing_id", "error",      "forbidden",           "try_another_node", "no_nodes_available",
    "badrpc",     "overloaded", "malformed",           "would_block"};

constexpr std::string_view name_of(Outcome outcome) { return kOutcomeNames[static_cast<std::size_t>(outcome)]; }
constexpr bool succeeded(Outcome outcome) { return outcome == Outcome::ok || outcome == Outcome::created; }

namespace detail {
Outcome outcome_of_failure(const Response& response) noexcept;
}

/// Threads: any. One comparison for a call that succeeded.
inline Outcome outcome_of(const Response& response) noexcept {
  if (response.kind() == Response::Kind::ok) [[likely]]
    return Outcome::ok;
  return detail::outcome_of_failure(response);
}

}  // namespace busbar::host
