// Whether two that meet on the call plane can work together. Pure, so that tests can ask for every case.
#pragma once

#include <busbar/wire/envelope.hpp>

#include <optional>
#include <string>
#include <string_view>

#include "transport/call_plane.hpp"

namespace busbar::host {

/// A frame that is smaller has no room for an answer of any use.
inline constexpr std::uint64_t kLeastMaxMessage = 1024;

struct Refusal {
  std::string_view code;  ///< protocol, cluster, name
  std::string text;       ///< both sides' values, for the operator of either
};

/// Judges the hello of whoever calls `own`. Nothing: it is welcome.
std::optional<Refusal> judge_hello(const wire::Envelope& hello, const CallPlaneOptions& own);

/// `text`, cut where it is longer than a name may be.
std::string shown(std::string_view text);

}  // namespace busbar::host
