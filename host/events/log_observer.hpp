// The host's log as an observer: what operators read of the events.
#pragma once

#include "events/events.hpp"
#include "log/log.hpp"
#include "log/rate_limit.hpp"

namespace busbar::host {

/// Writes a line for what operators must know: plugins that come, go and fail, services that nobody offers (limited to
/// one line a second for each, C-D2), inline services that are too slow, circles of calls (limited likewise), nodes
/// that come and go.
class LogObserver final : public Observer {
 public:
  LogObserver(Logger loader, Logger dispatch, Logger cluster);
  /// What to subscribe to.
  static EventMask wanted() noexcept;
  void on_event(const Event& event) noexcept override;

 private:
  const Logger loader_;
  const Logger dispatch_;
  const Logger cluster_;
  RateLimit not_found_;
  RateLimit circles_;
};

}  // namespace busbar::host
