// How one of several remote providers is picked (C-D3): the ways that there are, their numbers and their names.
#pragma once

#include <busbar/abi.h>

#include <cstdint>
#include <string_view>

namespace busbar {

/// As the boundary and the call plane number them.
enum class Strategy : std::uint8_t {
  standard = BUSBAR_STRATEGY_DEFAULT,             ///< of a call: as the service says; of a service: random
  random = BUSBAR_STRATEGY_RANDOM,                ///< any
  least_pending = BUSBAR_STRATEGY_LEAST_PENDING,  ///< the one with the fewest calls of this node under way there
  /// The same one for the same key, as long as it is there. A service says which field is the key
  /// (`ServiceDeclaration::sticky`), a caller which key (`CallOptions::sticky_key`), else it is as the service says.
  sticky = BUSBAR_STRATEGY_STICKY,
};

namespace detail {
inline constexpr std::string_view kStrategyNames[] = BUSBAR_STRATEGY_NAMES;
}

/// As manifests, records and the command line spell it: "" for standard, whose meaning is random.
constexpr std::string_view name_of(Strategy strategy) noexcept {
  return detail::kStrategyNames[static_cast<std::uint8_t>(strategy)];
}

/// By its number, or by its name. One that is not known is standard: a later version's.
constexpr Strategy strategy_of(std::uint32_t number) noexcept {
  return number <= BUSBAR_STRATEGY_STICKY ? static_cast<Strategy>(number) : Strategy::standard;
}
constexpr Strategy strategy_of(std::string_view name) noexcept {
  for (const Strategy strategy : {Strategy::random, Strategy::least_pending, Strategy::sticky}) {
    if (name == name_of(strategy)) return strategy;
  }
  return Strategy::standard;
}

}  // namespace busbar
