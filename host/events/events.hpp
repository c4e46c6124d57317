// What happens to messages, plugins and nodes, as one stream that anybody can observe; in a host the log and
// `busbar events` do (contract, "Events for observers"). The parts that emit know none of the observers.
#pragma once

#include <busbar/response.hpp>
#include <busbar/thread_safety.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "pool/clock.hpp"
#include "pool/ticks.hpp"

namespace busbar::host {

/// Their names stand, in this order, in busbar/wire/event_names.hpp.
enum class EventKind : std::uint8_t {
  discovering_service,
  service_not_found,
  service_found,
  invoking_service,
  service_responded,         // duration, response; of an error code and reason
  service_request_received,  // visibility, origin
  executing_service,
  execution_finished,  // duration
  checking_if_service_call_is_authorized,
  register_local_services,
  inline_service_too_slow,  // duration, reason
  plugin_loaded,
  plugin_reloaded,
  plugin_unloaded,
  plugin_failed,   // reason
  node_joined,     // node
  node_left,       // node, reason
  circle_refused,  // reason
};

/// The event's name as the contract spells it.
std::string_view name_of(EventKind kind) noexcept;

/// One event. Ownership: its texts are borrowed, valid while the observer runs. What does not apply is empty.
/// Threads: shown by one.
struct Event {
  EventKind kind{};
  bool is_public = true;
  std::string_view service{};
  std::string_view message_id{};
  std::string_view correlation_id{};
  std::string_view traceparent{};  // that its message came with
  std::string_view node{};         // the provider's, or the one that it happened on
  std::string_view plugin{};
  std::string_view origin{};  // the caller's node
  std::string_view reason{};
  std::string_view file{};
  std::string_view code{};    // of an error
  Response::Kind response{};  // none: it has none, or the call was sent on (C-R6)
  std::uint64_t begun = 0;    // in ticks: since when `duration` counts; 0 where there is none

  /// When it was shown to observers, in ticks (pool/ticks.hpp). Read when the first observer asks, because that is dear
  /// beside the rest of an event; the others see the same.
  std::uint64_t at() const noexcept {
    if (read_at == 0) read_at = ticks();
    return read_at;
  }
  /// How long it took; at least 1 ns, or 0 where the event says none.
  Nanos duration() const noexcept { return begun == 0 ? 0 : nanos_between(begun, at()); }

  mutable std::uint64_t read_at = 0;  // what `at` has read
};

using EventMask = std::uint32_t;
constexpr EventMask mask_of(EventKind kind) noexcept { return EventMask{1} << static_cast<unsigned>(kind); }
inline constexpr EventMask kAllEvents = ~EventMask{0};

/// A call of an inline service by who is on its node, and all that has happened of it, told when it is over: it takes
/// less time than eight events do. Ownership: as an event's. What it stands for, in this order: discovering_service,
/// service_found, invoking_service, service_request_received and checking_if_service_call_is_authorized, when it began;
/// executing_service and execution_finished, if its handler was called; service_responded.
struct WholeCall {
  bool is_public = true;
  bool handled = false;
  Response::Kind response{};
  std::string_view service{};
  std::string_view message_id{};
  std::string_view correlation_id{};
  std::string_view node{};
  std::string_view origin{};
  std::string_view plugin{};
  std::string_view reason{};
  std::string_view code{};
  std::uint64_t begun = 0;      // in ticks
  std::uint64_t ran_until = 0;  // when its handler had returned
  std::uint64_t ended = 0;

  static constexpr EventMask kAtBegin = mask_of(EventKind::discovering_service) | mask_of(EventKind::service_found) |
                                        mask_of(EventKind::invoking_service) |
                                        mask_of(EventKind::service_request_received) |
                                        mask_of(EventKind::checking_if_service_call_is_authorized);
  static constexpr EventMask kHandled = mask_of(EventKind::executing_service) | mask_of(EventKind::execution_finished);
  static constexpr EventMask kAll = kAtBegin | kHandled | mask_of(EventKind::service_responded);
};

/// Receives events. Threads: any, several at once; the one on which it happened, which waits meanwhile. So it must be
/// quick, and must not throw or wait for anything. It may dispatch, subscribe and unsubscribe.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_event(const Event& event) noexcept = 0;
  /// Whether it is shown such a call as a whole, in place of its events. Constant.
  virtual bool takes_whole_calls() const noexcept { return false; }
  virtual void on_whole_call(const WholeCall&) noexcept {}
};

/// Where events are emitted and observers subscribe. Showing an event takes no lock (docs/decisions/0004).
/// Threads: any.
class EventStream {
 public:
  EventStream();
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// Shows the observer every event of `which` that is emitted from now on.
  /// Ownership: shares the observer until it is unsubscribed.
  void subscribe(std::shared_ptr<Observer> observer, EventMask which = kAllEvents);
  /// On return the observer is shown nothing any more, and is let go: the call waits for events under way. Inside an
  /// observer it cannot: then one on another thread may still be shown, and the observer is let go later.
  void unsubscribe(const std::shared_ptr<Observer>& observer);

  /// Whether anybody wants events of this kind: ask before making one. One relaxed load.
  bool wants(EventKind kind) const noexcept { return wants_any(mask_of(kind)); }
  bool wants_any(EventMask kinds) const noexcept { return (wanted_.load(std::memory_order_relaxed) & kinds) != 0; }

  void emit(const Event& event) const noexcept {
    if (wants(event.kind)) show(event);
  }
  /// What happens in one moment: the event as each of `kinds`, in the order of `EventKind`.
  void emit_as(EventMask kinds, Event& event) const noexcept {
    if (wants_any(kinds)) show_as(kinds, event, To::all);
  }

  // Of calls that are told of as a whole: to those who do not take them so, and to those who do.

  bool wants_singly(EventMask kinds) const noexcept {
    return (wanted_singly_.load(std::memory_order_relaxed) & kinds) != 0;
  }
  void emit_singly(EventMask kinds, Event& event) const noexcept {
    if (wants_singly(kinds)) show_as(kinds, event, To::who_take_single_events);
  }
  bool wants_whole_calls() const noexcept { return wants_whole_.load(std::memory_order_relaxed); }
  void emit_whole(const WholeCall& call) const noexcept {
    if (wants_whole_calls()) show_whole(call);
  }
  /// An event of a call that turns out not to be told of as a whole, after `emit_singly`.
  void emit_to_the_others(EventMask kinds, Event& event) const noexcept {
    if (wants_whole_calls()) show_as(kinds, event, To::who_take_whole_calls);
  }

 private:
  struct Subscriptions;

  enum class To : std::uint8_t { all, who_take_single_events, who_take_whole_calls };

  void show(const Event& event) const noexcept;
  void show_as(EventMask kinds, Event& event, To whom) const noexcept;
  void show_whole(const WholeCall& call) const noexcept;
  static void show_to(const Subscriptions& subscriptions, const Event& event, To whom) noexcept;
  void change(const std::function<void(Subscriptions& next)>& how);

  std::atomic<EventMask> wanted_{0};
  std::atomic<EventMask> wanted_singly_{0};  // by those who do not take whole calls
  std::atomic<bool> wants_whole_{false};
  std::atomic<const Subscriptions*> subscriptions_;  // what is read; owned by owned_

  Mutex mutex_;  // of those who change the subscriptions; never held while an observer runs or is let go
  std::unique_ptr<const Subscriptions> owned_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<const Subscriptions>> retired_ BUSBAR_GUARDED_BY(mutex_);  // by observers
};

}  // namespace busbar::host
