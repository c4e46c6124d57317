#include "dispatch/anteroom.hpp"

#include <algorithm>
#include <utility>

namespace busbar::host {

Anteroom::Anteroom(Pool& pool, Supervisor& supervisor, Then then)
    : pool_(pool), supervisor_(supervisor), then_(std::move(then)) {}

Anteroom::Taken Anteroom::take(const std::shared_ptr<Requester>& from, const wire::Envelope& envelope, Nanos budget) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  List row;
  const Nanos now = now_ns();
  row.push_back({from, envelope.attempt, sink.take(), now, now + budget});
  {
    const MutexLock lock(mutex_);
    if (!closed()) return Taken::open;  // who opens it has looked for those that wait, or is about to
    if (waiting_.size() >= kMost || bytes_ >= kMostBytes) return Taken::full;
    bytes_ += row.front().envelope.size();
    waiting_.splice(waiting_.end(), row);
  }
  supervisor_.wake_at(now + budget);
  return Taken::held;
}

void Anteroom::open() noexcept {
  {
    const MutexLock lock(mutex_);
    if (!closed_.exchange(false, std::memory_order_acq_rel) || waiting_.empty()) return;
  }
  // Services run where they always run: this may be the thread that loads plugins, or the registry's. Where the pool
  // takes nothing the calls are answered with that, one by one.
  if (pool_.submit(*this) != Submitted::kAccepted) run();
}

void Anteroom::dismiss() noexcept {
  {
    const MutexLock lock(mutex_);
    closed_.store(false, std::memory_order_release);
  }
  end_all(End::stopping);
}

Nanos Anteroom::expire(Nanos now) noexcept {
  if (!closed()) return kNever;
  const List late = take_out([&](const Waiting& waiting) { return waiting.until <= now; });
  for (const Waiting& waiting : late) end_one(waiting, now, End::late);
  Nanos next = kNever;
  const MutexLock lock(mutex_);
  for (const Waiting& waiting : waiting_) next = std::min(next, waiting.until);
  return next;
}

void Anteroom::forget(const Requester& from, std::uint64_t attempt) noexcept {
  take_out([&](const Waiting& waiting) { return waiting.from.get() == &from && waiting.attempt == attempt; });
}

void Anteroom::forget_all(const Requester& from) noexcept {
  take_out([&](const Waiting& waiting) { return waiting.from.get() == &from; });
}

// One after the other: those that still wait can be given up meanwhile.
void Anteroom::end_all(End end) noexcept {
  for (;;) {
    const List next = take_first();
    if (next.empty()) return;
    end_one(next.front(), now_ns(), end);
  }
}

void Anteroom::end_one(const Waiting& waiting, Nanos now, End end) const noexcept {
  wire::Bytes bytes = waiting.envelope;
  then_(waiting.from, wire::read_envelope(bytes), now - waiting.since, end);
}

// What leaves is let go by the caller, without the lock.

Anteroom::List Anteroom::take_first() noexcept {
  List taken;
  const MutexLock lock(mutex_);
  if (waiting_.empty()) return taken;
  bytes_ -= waiting_.front().envelope.size();
  taken.splice(taken.end(), waiting_, waiting_.begin());
  return taken;
}

template <class Condition>
Anteroom::List Anteroom::take_out(Condition&& leaves) noexcept {
  List taken;
  const MutexLock lock(mutex_);
  for (auto row = waiting_.begin(); row != waiting_.end();) {
    const auto next = std::next(row);
    if (leaves(*row)) {
      bytes_ -= row->envelope.size();
      taken.splice(taken.end(), waiting_, row);
    }
    row = next;
  }
  return taken;
}

}  // namespace busbar::host
