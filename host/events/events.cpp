#include "events/events.hpp"

#include <busbar/registry/read_section.hpp>
#include <busbar/wire/event_names.hpp>

#include <bit>
#include <new>
#include <utility>

namespace busbar::host {

std::string_view name_of(EventKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < wire::kEventNames.size() ? wire::kEventNames[index] : "unknown";
}

// What emitting reads: constant once it is published.
struct EventStream::Subscriptions {
  struct Row {
    std::shared_ptr<Observer> observer;
    EventMask which;
    bool takes_whole_calls;
  };
  std::vector<Row> rows;
};

EventStream::EventStream() : owned_(std::make_unique<const Subscriptions>()) {
  subscriptions_.store(owned_.get(), std::memory_order_release);
}

EventStream::~EventStream() = default;

void EventStream::subscribe(std::shared_ptr<Observer> observer, EventMask which) {
  change([&](Subscriptions& next) {
    const bool takes_whole_calls = observer->takes_whole_calls();
    next.rows.push_back({std::move(observer), which, takes_whole_calls});
  });
}

void EventStream::unsubscribe(const std::shared_ptr<Observer>& observer) {
  change([&](Subscriptions& next) {
    std::erase_if(next.rows, [&](const Subscriptions::Row& row) { return row.observer == observer; });
  });
}

void EventStream::change(const std::function<void(Subscriptions& next)>& how) {
  constexpr auto kObservers = registry::Reading::kObservers;
  const bool inside = registry::is_reading(kObservers);  // then waiting would be for ourselves
  std::vector<std::unique_ptr<const Subscriptions>> unread;
  {
    const MutexLock lock(mutex_);
    auto next = std::make_unique<Subscriptions>(*owned_);
    how(*next);
    EventMask wanted = 0, wanted_singly = 0;
    bool wants_whole = false;
    for (const auto& row : next->rows) {
      wanted |= row.which;
      if (row.takes_whole_calls) wants_whole = true;
      if (!row.takes_whole_calls) wanted_singly |= row.which;
    }
    retired_.reserve(retired_.size() + 1);
    subscriptions_.store(next.get(), std::memory_order_release);
    wanted_.store(wanted, std::memory_order_relaxed);
    wanted_singly_.store(wanted_singly, std::memory_order_relaxed);
    wants_whole_.store(wants_whole, std::memory_order_relaxed);
    retired_.push_back(std::exchange(owned_, std::move(next)));
    if (!inside) unread.swap(retired_);
  }
  if (!inside) registry::wait_for_readers(kObservers);
  // Here those that nobody reads any more end, without the lock: observers that are let go may do anything.
}

inline void EventStream::show_to(const Subscriptions& subscriptions, const Event& event, To whom) noexcept {
  for (const auto& row : subscriptions.rows) {
    if ((row.which & mask_of(event.kind)) == 0) continue;
    if (whom == To::all || row.takes_whole_calls == (whom == To::who_take_whole_calls)) row.observer->on_event(event);
  }
}

void EventStream::show(const Event& event) const noexcept try {
  const registry::BasicReadSection<registry::Reading::kObservers> section;
  show_to(*subscriptions_.load(std::memory_order_acquire), event, To::all);
} catch (const std::bad_alloc&) {
  // The first of its thread, and there is no memory for being waited for: nobody sees it.
}

void EventStream::show_as(EventMask kinds, Event& event, To whom) const noexcept try {
  const registry::BasicReadSection<registry::Reading::kObservers> section;
  const Subscriptions& subscriptions = *subscriptions_.load(std::memory_order_acquire);
  for (; kinds != 0; kinds &= kinds - 1) {
    event.kind = static_cast<EventKind>(std::countr_zero(kinds));
    show_to(subscriptions, event, whom);
  }
} catch (const std::bad_alloc&) {
  // As above.
}

void EventStream::show_whole(const WholeCall& call) const noexcept try {
  const registry::BasicReadSection<registry::Reading::kObservers> section;
  for (const auto& row : subscriptions_.load(std::memory_order_acquire)->rows) {
    if (row.takes_whole_calls && (row.which & WholeCall::kAll) != 0) row.observer->on_whole_call(call);
  }
} catch (const std::bad_alloc&) {
  // As above.
}

}  // namespace busbar::host
