#include <busbar/registry/record.hpp>

#include <algorithm>
#include <array>

namespace busbar::registry {

namespace {
constexpr std::array<std::string_view, 4> kNames{"", "random", "least_pending", "sticky"};
}  // namespace

std::string_view name_of(Strategy strategy) noexcept { return kNames[static_cast<std::size_t>(strategy)]; }

Strategy strategy_of(std::string_view name) noexcept {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? Strategy::standard : static_cast<Strategy>(found - kNames.begin());
}

}  // namespace busbar::registry
