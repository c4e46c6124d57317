// What two that meet on the call plane say to each other first, and whether they can work together. Pure, so that tests
// can ask for every case.
#pragma once

#include <busbar/keys/key.hpp>
#include <busbar/wire/envelope.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/call_plane.hpp"

namespace busbar::host {

/// A frame that is smaller has no room for an answer of any use.
inline constexpr std::uint64_t kLeastMaxMessage = 1024;

struct Refusal {
  std::string_view code;  ///< protocol, cluster, name, key
  std::string text;       ///< both sides' values, for the operator of either
};

/// Judges the hello of whoever calls `own`. `proven`: whose key it has proved; null: there are no keys. Nothing: it is
/// welcome.
std::optional<Refusal> judge_hello(const wire::Envelope& hello, const CallPlaneOptions& own,
                                   const keys::Identity* proven = nullptr);

/// Who `own` is: the envelope of a hello or a welcome. Errors: std::bad_alloc.
std::vector<std::uint8_t> introduction(wire::EnvelopeType type, const CallPlaneOptions& own);

/// Judges what came in answer to the hello of `own`, from whom it took for that incarnation of `node`. Nothing: it is.
/// Otherwise what is wrong, for the operator of `own`.
std::optional<std::string> judge_welcome(const wire::Envelope& welcome, const CallPlaneOptions& own,
                                         std::string_view node, std::uint64_t incarnation);

/// `text`, cut where it is longer than a name may be.
std::string shown(std::string_view text);

}  // namespace busbar::host
