#include "dispatch/trail.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

std::string_view name_of(TrailEntry::Kind kind) noexcept {
  switch (kind) {
    case TrailEntry::Kind::ran:
      return "ran";
    case TrailEntry::Kind::ended:
      return "ended";
    case TrailEntry::Kind::asked:
      return "asked";
  }
  return "unknown";
}

void TrailBook::add(TrailEntry entry) {
  const MutexLock lock(mutex_);
  if (ring_.size() < kEntries) {
    ring_.push_back(std::move(entry));
    return;
  }
  ring_[next_] = std::move(entry);
  next_ = (next_ + 1) % kEntries;
}

std::vector<TrailEntry> TrailBook::of(std::string_view correlation_id) const {
  std::vector<TrailEntry> found;
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < ring_.size(); ++i) {
    const TrailEntry& entry = ring_[(next_ + i) % ring_.size()];
    if (entry.correlation_id.view() == correlation_id) found.push_back(entry);
  }
  return found;
}

std::optional<Call::Ran> Call::ran() const noexcept {
  const std::uint64_t stopped = stopped_.load(std::memory_order_seq_cst);
  if (stopped == 0) return std::nullopt;
  const std::uint64_t started = runs_inline_ ? begun() : this->started();
  return Ran{counted_nanos(begun(), started), counted_nanos(started, stopped)};
}

bool Call::leaves_trail(Nanos took) const noexcept {
  return is_sampled_ || took >= Nanos{timeout_ms_} * kMillisecond / TrailBook::kNotablePart;
}

namespace {

// While its message is there; or, where another thread answers an inline call that is just being copied for it, of what
// that one has kept.
TrailEntry entry_of(const Call& call, TrailEntry::Kind kind, Nanos took) {
  const Endpoint* const endpoint = call.endpoint();
  TrailEntry entry;
  entry.kind = kind;
  entry.service = Text(endpoint != nullptr ? endpoint->service() : call.message().service_name());
  entry.message_id = Text(call.message_id());
  entry.causation_id = Text(call.causation_id());
  entry.correlation_id = Text(call.correlation_id());
  entry.begun = now_ns() - took;
  entry.timeout_ms = call.timeout_ms();
  return entry;
}

}  // namespace

void Dispatcher::leave_ran(const Call& call, const Call::Ran& ran) const noexcept try {
  TrailEntry entry = entry_of(call, TrailEntry::Kind::ran, ran.queued + ran.running);
  entry.queued = ran.queued;
  entry.running = ran.running;
  trails_.add(std::move(entry));
} catch (const std::bad_alloc&) {
  // The call counts for more than what it leaves behind.
}

void Dispatcher::leave_end(const Call& call, Outcome outcome, Nanos whole) const noexcept try {
  const std::string_view elsewhere = call.last_node();
  TrailEntry entry = entry_of(call, elsewhere.empty() ? TrailEntry::Kind::ended : TrailEntry::Kind::asked, whole);
  if (elsewhere.empty()) {
    if (const auto ran = call.ran()) {
      entry.queued = ran->queued;
      entry.running = ran->running;
      if (call.is_deferred()) entry.deferred = std::max<Nanos>(whole - ran->queued - ran->running, 0);
    } else if (outcome == Outcome::service_timeout && call.was_not_started()) {
      entry.queued = whole;
    }
  } else {
    entry.node = Text(elsewhere);
  }
  entry.outcome = outcome;
  entry.whole = whole;
  trails_.add(std::move(entry));
} catch (const std::bad_alloc&) {
  // As above.
}

}  // namespace busbar::host
