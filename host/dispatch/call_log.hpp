// The lines in the log for calls that have ended.
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

/// Says which calls take longer than they may (warn): at most a line a second for each service, with the number of
/// those that were left out. At the level debug each call has its line. Threads: `begin` before the first call;
/// everything else any.
class CallLog {
 public:
  /// From now on calls are told. `longest`: what takes longer is told as slow; 0: nothing is.
  void begin(Logger log, Nanos longest);

  /// Whether a call that began then, in ticks, may have to be told: a reading of ticks. An inline call, which is timed
  /// anyway, asks `tells` instead.
  bool may_tell(std::uint64_t started) const noexcept { return tells(ticks() - started); }
  bool tells(std::uint64_t passed) const noexcept { return passed > longest_ticks_ || log_.enabled(LogLevel::debug); }

  /// Tells of one, if it has to be. `node`: who served it.
  void tell(std::uint64_t started, std::string_view service, std::string_view node, const Response& outcome,
            const CallIds& ids) noexcept;

 private:
  static constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

  std::uint64_t longest_ticks_ = std::numeric_limits<std::uint64_t>::max();
  Nanos longest_ = kNever;
  Logger log_;
  RateLimit lines_{std::chrono::seconds(1)};
};

}  // namespace busbar::host
