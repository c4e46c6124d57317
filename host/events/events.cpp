#include "events/events.hpp"

#include <algorithm>

namespace busbar::host {

std::string_view name_of(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::discovering_service:
      return "discovering_service";
    case EventKind::service_not_found:
      return "service_not_found";
    case EventKind::service_found:
      return "service_found";
    case EventKind::invoking_service:
      return "invoking_service";
    case EventKind::service_responded:
      return "service_responded";
    case EventKind::service_request_received:
      return "service_request_received";
    case EventKind::executing_service:
      return "executing_service";
    case EventKind::execution_finished:
      return "execution_finished";
    case EventKind::checking_if_service_call_is_authorized:
      return "checking_if_service_call_is_authorized";
    case EventKind::register_local_services:
      return "register_local_services";
    case EventKind::inline_service_too_slow:
      return "inline_service_too_slow";
    case EventKind::plugin_loaded:
      return "plugin_loaded";
    case EventKind::plugin_reloaded:
      return "plugin_reloaded";
    case EventKind::plugin_unloaded:
      return "plugin_unloaded";
    case EventKind::plugin_failed:
      return "plugin_failed";
    case EventKind::node_joined:
      return "node_joined";
    case EventKind::node_left:
      return "node_left";
  }
  return "unknown";
}

void EventStream::subscribe(std::shared_ptr<Observer> observer, EventMask which) {
  const MutexLock lock(mutex_);
  auto next = std::make_shared<Subscriptions>(*subscriptions_);
  next->push_back({std::move(observer), which});
  replace(std::move(next));
}

void EventStream::unsubscribe(const std::shared_ptr<Observer>& observer) {
  const MutexLock lock(mutex_);
  auto next = std::make_shared<Subscriptions>(*subscriptions_);
  std::erase_if(*next, [&](const Subscription& s) { return s.observer == observer; });
  replace(std::move(next));
}

void EventStream::replace(std::shared_ptr<const Subscriptions> next) {
  EventMask wanted = 0;
  for (const auto& subscription : *next) wanted |= subscription.which;
  subscriptions_ = std::move(next);
  wanted_.store(wanted, std::memory_order_relaxed);
}

std::shared_ptr<const EventStream::Subscriptions> EventStream::current() const noexcept {
  const MutexLock lock(mutex_);
  return subscriptions_;
}

void EventStream::emit(const Event& event) const noexcept {
  if (!wants(event.kind)) return;
  const auto subscriptions = current();  // by name: a temporary would be gone before the loop's first turn
  for (const auto& subscription : *subscriptions) {
    if ((subscription.which & mask_of(event.kind)) != 0) subscription.observer->on_event(event);
  }
}

}  // namespace busbar::host
