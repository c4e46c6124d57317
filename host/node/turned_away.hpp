// Who was turned away at this node's doors: counted, and told to the operator, but not as often as it happens.
#pragma once

#include <busbar/registry/net/door.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "log/log.hpp"
#include "log/rate_limit.hpp"

namespace busbar::host {

/// Threads: any.
class TurnedAwayLog {
 public:
  explicit TurnedAwayLog(Logger log);

  void operator()(std::string_view plane, registry::net::TurnedAway why, std::string_view who,
                  std::string_view text) noexcept;
  std::uint64_t count(registry::net::TurnedAway why) const noexcept {
    return counts_[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
  }

 private:
  void tell(std::string_view plane, registry::net::TurnedAway why, std::string_view who, std::string_view text);

  const Logger log_;
  RateLimit lines_;  // by plane, reason and address
  std::array<std::atomic<std::uint64_t>, registry::net::kTurnedAwayKinds> counts_{};
};

}  // namespace busbar::host
