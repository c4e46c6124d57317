#include "dispatch/waits.hpp"

#include <algorithm>
#include <new>

#include "dispatch/call.hpp"

namespace busbar::host {

Gate::Entry Waits::enter(Call& call, Gate& gate, Nanos now, CallList& gone) noexcept {
  if (gate.enter_free()) return Gate::Entry::kIn;
  const MutexLock lock(mutex_);
  try {
    if (would_be_for_ever(call, gate)) return Gate::Entry::kStuck;
    rows_.push_back({&call, &gate});
  } catch (const std::bad_alloc&) {
    return Gate::Entry::kFull;
  }
  // Before the gate has it: whoever gets it from there looks for this.
  call.is_among_waits(true);
  const Gate::Entry entry = gate.enter(call, now, gone);
  if (entry != Gate::Entry::kWaits) {
    call.is_among_waits(false);
    remove(call);
  }
  return entry;
}

void Waits::end(Call& call) noexcept {
  if (!call.is_among_waits()) return;
  const MutexLock lock(mutex_);
  call.is_among_waits(false);
  remove(call);
}

// Whether nobody inside could go on any more if the call waited there: all of them wait at gates of which the same is
// true. What is left of all gates that somebody waits at, when those are taken away where one place may come free.
bool Waits::would_be_for_ever(const Call& call, const Gate& gate) {
  stuck_.assign(1, &gate);
  for (const Row& row : rows_) {
    if (std::find(stuck_.begin(), stuck_.end(), row.at) == stuck_.end()) stuck_.push_back(row.at);
  }
  for (;;) {
    auto moves = stuck_.begin();  // not by an algorithm: the lock's analysis does not look into its function
    while (moves != stuck_.end() && all_wait(call, **moves)) ++moves;
    if (moves == stuck_.end()) return true;
    if (*moves == &gate) return false;
    stuck_.erase(moves);
  }
}

// Whether every place at the gate is kept busy by the call, or by one that waits at a gate which is stuck.
bool Waits::all_wait(const Call& call, const Gate& gate) const {
  if (gate.is_closed()) return false;  // not for long, whoever is inside
  std::size_t waiting = call.places_kept_at(gate);
  for (const Row& row : rows_) {
    if (std::find(stuck_.begin(), stuck_.end(), row.at) != stuck_.end()) waiting += row.call->places_kept_at(gate);
  }
  return waiting >= gate.running();
}

void Waits::remove(const Call& call) noexcept {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& one) { return one.call == &call; });
  if (row == rows_.end()) return;
  *row = rows_.back();
  rows_.pop_back();
}

}  // namespace busbar::host
