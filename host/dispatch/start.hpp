// When a call began, and when it must have ended.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dispatch/dispatcher.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

/// What an attempt came to whose deadline was first.
inline const Response& timed_out() {
  static const Response response = Response::service_timeout({}, {}, 0);
  return response;
}

struct Dispatcher::Start {
  std::uint64_t at_ticks = 0;
  Nanos now = 0;
  Nanos slack = 0;               // how far `now` may be behind
  Nanos latest = kNever;         // what parent and message leave
  std::uint32_t timeout_ms = 0;  // as asked for; 0: the service's own

  struct Budget {
    Nanos deadline;
    std::uint32_t timeout_ms;
  };
  /// `usual_ms` is the service's own timeout.
  Budget budget(std::uint32_t usual_ms) const noexcept {
    const std::uint32_t asked = timeout_ms != 0 ? timeout_ms : usual_ms;
    const Nanos wanted = now + slack + asked * kMillisecond;
    if (wanted <= latest) return {wanted, asked};
    // Rounded up, so that what is left of a millisecond is not reported as a timeout of none.
    const Nanos left = std::max<Nanos>(latest - now, 0);
    return {latest, static_cast<std::uint32_t>((left + kMillisecond - 1) / kMillisecond)};
  }
};

}  // namespace busbar::host
