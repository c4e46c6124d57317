// How often what happens seldom has happened, as an observer of the events.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "events/events.hpp"

namespace busbar::host {

/// Counts events of plugins and nodes. Threads: any.
class EventCounts final : public Observer {
 public:
  /// What to subscribe to.
  static EventMask wanted() noexcept;
  void on_event(const Event& event) noexcept override;
  std::uint64_t count(EventKind kind) const noexcept {
    return counts_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, 32> counts_{};  // as many as EventMask tells apart
};

}  // namespace busbar::host
