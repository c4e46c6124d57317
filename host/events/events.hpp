// What happens to messages, plugins and nodes, as one stream that logging, metrics and traces observe (contract,
// "Events for observers"). The parts that emit know none of the observers.
#pragma once

#include <busbar/thread_safety.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "pool/clock.hpp"

namespace busbar::host {

enum class EventKind : std::uint8_t {
  discovering_service,
  service_not_found,
  service_found,
  invoking_service,
  service_responded,         // duration
  service_request_received,  // visibility, origin
  executing_service,
  execution_finished,  // duration
  checking_if_service_call_is_authorized,
  register_local_services,
  inline_service_too_slow,  // duration, reason
  plugin_loaded,
  plugin_reloaded,
  plugin_unloaded,
  plugin_failed,  // reason
  node_joined,    // node
  node_left,      // node, reason
};

/// The event's name as the contract spells it.
std::string_view name_of(EventKind kind) noexcept;

/// One event. Ownership: its texts are borrowed, valid while the observer runs. What does not apply is empty.
struct Event {
  EventKind kind{};
  std::string_view service;
  std::string_view message_id;
  std::string_view correlation_id;
  std::string_view node;  // the provider's, or the one that it happened on
  std::string_view plugin;
  std::string_view origin;  // the caller's node
  std::string_view reason;
  std::string_view file;
  Nanos duration = 0;
  bool is_public = true;
};

using EventMask = std::uint32_t;
constexpr EventMask mask_of(EventKind kind) noexcept { return EventMask{1} << static_cast<unsigned>(kind); }
inline constexpr EventMask kAllEvents = ~EventMask{0};

/// Receives events. Threads: any, several at once. Must be quick, and must not block or throw.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_event(const Event& event) noexcept = 0;
};

/// Where events are emitted and observers subscribe. Threads: any.
class EventStream {
 public:
  /// Ownership: shares the observer until it is unsubscribed; an event under way may still reach it then.
  void subscribe(std::shared_ptr<Observer> observer, EventMask which = kAllEvents);
  void unsubscribe(const std::shared_ptr<Observer>& observer);

  /// Whether anybody wants events of this kind: ask before making one. One relaxed load.
  bool wants(EventKind kind) const noexcept { return wants_any(mask_of(kind)); }
  bool wants_any(EventMask kinds) const noexcept { return (wanted_.load(std::memory_order_relaxed) & kinds) != 0; }
  void emit(const Event& event) const noexcept;

 private:
  struct Subscription {
    std::shared_ptr<Observer> observer;
    EventMask which;
  };
  using Subscriptions = std::vector<Subscription>;

  std::shared_ptr<const Subscriptions> current() const noexcept;
  void replace(std::shared_ptr<const Subscriptions> next) BUSBAR_REQUIRES(mutex_);

  std::atomic<EventMask> wanted_{0};
  mutable Mutex mutex_;  // held to copy the pointer only, never while an observer runs
  std::shared_ptr<const Subscriptions> subscriptions_ BUSBAR_GUARDED_BY(mutex_) = std::make_shared<Subscriptions>();
};

}  // namespace busbar::host
