#include "metrics/event_counts.hpp"

namespace busbar::host {

EventMask EventCounts::wanted() noexcept {
  return mask_of(EventKind::inline_service_too_slow) | mask_of(EventKind::plugin_loaded) |
         mask_of(EventKind::plugin_reloaded) | mask_of(EventKind::plugin_unloaded) | mask_of(EventKind::plugin_failed) |
         mask_of(EventKind::node_joined) | mask_of(EventKind::node_left);
}

void EventCounts::on_event(const Event& event) noexcept {
  counts_[static_cast<std::size_t>(event.kind)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace busbar::host
