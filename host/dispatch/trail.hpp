// What calls leave behind that were asked to, or that took long: so that it can be told afterwards where their time
// went (decision 0031).
#pragma once

#include <busbar/text.hpp>
#include <busbar/thread_safety.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "pool/clock.hpp"
#include "stats/outcome.hpp"

namespace busbar::host {

/// One thing that is known of a call on this node. What does not apply is empty or 0.
struct TrailEntry {
  enum class Kind : std::uint8_t {
    ran,    ///< its handler has returned here, after the end of the call: `queued`, `running`
    ended,  ///< it was served here and has been answered or given up: `whole`, `outcome`; these too, if it had by then
    asked,  ///< an attempt at another node has been, which is `node`
  };
  Kind kind = Kind::ran;
  Text service, node, message_id, causation_id, correlation_id;  // our own ids take no memory beyond this
  Outcome outcome = Outcome::ok;
  Nanos begun = 0;      ///< when it came, or was sent, by this node's clock
  Nanos queued = -1;    ///< below 0: that is not known yet
  Nanos running = -1;   ///< below 0: it has not returned, or was never started
  Nanos deferred = -1;  ///< from then until the end; below 0: its answer was not left to anybody
  Nanos whole = 0;
  std::uint32_t timeout_ms = 0;  ///< its budget then
};
std::string_view name_of(TrailEntry::Kind kind) noexcept;

/// Keeps the last of them. Threads: any.
class TrailBook {
 public:
  static constexpr std::size_t kEntries = 8'192;
  /// A call is kept that has used up this part of its budget, also where nobody has asked for it: in a chain of calls
  /// that runs out of its time, one of them has.
  static constexpr Nanos kNotablePart = 16;

  /// Errors: std::bad_alloc, and nothing is kept.
  void add(TrailEntry entry);
  /// Those of one correlation, in the order in which they came.
  std::vector<TrailEntry> of(std::string_view correlation_id) const;

 private:
  mutable Mutex mutex_;
  std::vector<TrailEntry> ring_ BUSBAR_GUARDED_BY(mutex_);
  std::size_t next_ BUSBAR_GUARDED_BY(mutex_) = 0;  // where the next one goes; the oldest is there once it is full
};

}  // namespace busbar::host
