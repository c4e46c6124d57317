#include "events/log_observer.hpp"

#include <busbar/registry/goodbye.hpp>

namespace busbar::host {

namespace {

CallIds ids_of(const Event& event) noexcept { return {event.message_id, event.correlation_id, event.traceparent}; }

}  // namespace

LogObserver::LogObserver(Logger loader, Logger dispatch, Logger cluster)
    : loader_(std::move(loader)),
      dispatch_(std::move(dispatch)),
      cluster_(std::move(cluster)),
      not_found_(std::chrono::seconds(1)),
      circles_(std::chrono::seconds(1)) {}

EventMask LogObserver::wanted() noexcept {
  return mask_of(EventKind::service_not_found) | mask_of(EventKind::inline_service_too_slow) |
         mask_of(EventKind::plugin_loaded) | mask_of(EventKind::plugin_reloaded) | mask_of(EventKind::plugin_unloaded) |
         mask_of(EventKind::plugin_failed) | mask_of(EventKind::node_joined) | mask_of(EventKind::node_left) |
         mask_of(EventKind::circle_refused);
}

void LogObserver::on_event(const Event& event) noexcept {
  switch (event.kind) {
    case EventKind::service_not_found:
      if (const auto line = not_found_.ask(event.service)) {
        dispatch_.warn("nobody provides the service", {{"service", event.service}, {"suppressed", line.suppressed}},
                       ids_of(event));
      }
      break;
    case EventKind::inline_service_too_slow:
      dispatch_.warn("inline service broke its promise",
                     {{"service", event.service},
                      {"plugin", event.plugin},
                      {"duration_us", event.duration() / kMicrosecond},
                      {"reason", event.reason}},
                     ids_of(event));
      break;
    case EventKind::plugin_loaded:
      loader_.info("plugin loaded", {{"plugin", event.plugin}, {"file", event.file}});
      break;
    case EventKind::plugin_reloaded:
      loader_.info("plugin replaced by its newer file", {{"plugin", event.plugin}, {"file", event.file}});
      break;
    case EventKind::plugin_unloaded:
      loader_.info("plugin unloaded", {{"plugin", event.plugin}, {"file", event.file}, {"kept_because", event.reason}});
      break;
    case EventKind::plugin_failed:
      loader_.error("plugin failed", {{"file", event.file}, {"plugin", event.plugin}, {"reason", event.reason}});
      break;
    case EventKind::node_joined:
      cluster_.info("node joined", {{"node", event.node}});
      break;
    case EventKind::node_left:
      cluster_.write(event.reason == registry::kSaidGoodbye ? LogLevel::info : LogLevel::warn, "node left",
                     {{"node", event.node}, {"reason", event.reason}});
      break;
    case EventKind::circle_refused:
      if (const auto line = circles_.ask(event.service)) {
        dispatch_.warn("call refused, because it would close a circle of calls that wait for each other",
                       {{"service", event.service},
                        {"plugin", event.plugin},
                        {"reason", event.reason},
                        {"suppressed", line.suppressed}},
                       ids_of(event));
      }
      break;
    default:
      break;
  }
}

}  // namespace busbar::host
