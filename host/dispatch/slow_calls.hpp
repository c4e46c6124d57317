// The line in the log for a call that takes long.
#pragma once

#include <busbar/response.hpp>

#include <cstdint>
#include <limits>
#include <string_view>

#include "log/log.hpp"
#include "log/rate_limit.hpp"
#include "pool/clock.hpp"
#include "pool/ticks.hpp"

namespace busbar::host {

/// Says which calls take longer than they may: at most a line a second for each service, with the number of those that
/// were left out. Threads: `watch` before the first call; everything else any.
class SlowCalls {
 public:
  /// From now on a call that takes longer is told. Until then none is.
  void watch(Logger log, Nanos longest);

  /// Whether a call that began then, in ticks, may have taken too long: a reading of ticks. An inline call, which is
  /// timed anyway, asks `is_long` instead.
  bool may_be(std::uint64_t started) const noexcept { return is_long(ticks() - started); }
  bool is_long(std::uint64_t passed) const noexcept { return passed > longest_ticks_; }

  /// Tells of one, if it has by now. `node`: who served it.
  void tell(std::uint64_t started, std::string_view service, std::string_view node, const Response& outcome,
            const CallIds& ids) noexcept;

 private:
  std::uint64_t longest_ticks_ = std::numeric_limits<std::uint64_t>::max();
  Nanos longest_ = 0;
  Logger log_;
  RateLimit lines_{std::chrono::seconds(1)};
};

}  // namespace busbar::host
