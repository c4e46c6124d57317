#include "dispatch/gate.hpp"

#include <algorithm>
#include <utility>

#include "dispatch/call.hpp"

namespace busbar::host {

// ------------------------------------------------------------------------------------------------------------ the list

void CallList::push(Call& call) noexcept {
  call.set_next_in_list(nullptr);
  if (last_ == nullptr) {
    first_ = &call;
  } else {
    last_->set_next_in_list(&call);
  }
  last_ = &call;
  ++size_;
}

Call* CallList::pop() noexcept {
  Call* const call = first_;
  if (call == nullptr) return nullptr;
  first_ = call->next_in_list();
  if (first_ == nullptr) last_ = nullptr;
  --size_;
  return call;
}

bool CallList::remove(Call& call) noexcept {
  CallList others;
  bool found = false;
  while (Call* const one = pop()) {
    if (one == &call) {
      found = true;
    } else {
      others.push(*one);
    }
  }
  *this = others;
  return found;
}

// ------------------------------------------------------------------------------------------------------------ the gate

namespace {
constexpr std::size_t kWorthALook = 64;  // that many calls may keep what nobody waits for
}  // namespace

void Gate::set(std::uint32_t max_running, std::size_t max_waiting) noexcept {
  max_running_ = max_running;
  max_waiting_ = max_waiting;
}

std::uint32_t Gate::running() const noexcept {
  const MutexLock lock(mutex_);
  return running_;
}

bool Gate::enter_free() noexcept {
  const MutexLock lock(mutex_);
  if (!has_room()) return false;
  ++running_;
  return true;
}

Gate::Entry Gate::enter(Call& call, Nanos now, CallList& gone) noexcept {
  const MutexLock lock(mutex_);
  if (has_room()) {
    ++running_;
    return Entry::kIn;
  }
  if (is_time_to_look(now)) take_out_gone(now, gone);
  if (waiting_.size() >= most_waiting()) return Entry::kFull;
  first_deadline_ = std::min(first_deadline_, call.deadline());
  waiting_.push(call);
  return Entry::kWaits;
}

void Gate::enter_nested() noexcept {
  const MutexLock lock(mutex_);
  ++running_;
}

Call* Gate::leave() noexcept {
  const MutexLock lock(mutex_);
  Call* const next = closed_ || running_ > max_running_ ? nullptr : waiting_.pop();
  if (next == nullptr) --running_;  // else the place goes from hand to hand: nobody who comes later is quicker
  if (waiting_.empty()) first_deadline_ = kNever;
  return next;
}

bool Gate::take_out(Call& call) noexcept {
  const MutexLock lock(mutex_);
  return !closed_ && waiting_.remove(call);
}

void Gate::close(std::size_t max_waiting) noexcept {
  const MutexLock lock(mutex_);
  kept_waiting_ = std::max(max_waiting, max_waiting_);
  closed_.store(true, std::memory_order_relaxed);
}

void Gate::open(CallList& let_in) noexcept {
  const MutexLock lock(mutex_);
  closed_.store(false, std::memory_order_relaxed);
  while (!waiting_.empty() && has_room()) {
    ++running_;
    let_in.push(*waiting_.pop());
  }
  if (waiting_.empty()) first_deadline_ = kNever;
}

void Gate::take_waiting(CallList& taken) noexcept {
  const MutexLock lock(mutex_);
  while (Call* const call = waiting_.pop()) taken.push(*call);
  first_deadline_ = kNever;
}

std::size_t Gate::waiting() const noexcept {
  const MutexLock lock(mutex_);
  return waiting_.size();
}

// Going through the line costs its length, so it is done seldom enough not to matter: when it has doubled and somebody
// has timed out; and where it is full, also for those who were cancelled or whose node is gone.
bool Gate::is_time_to_look(Nanos now) const noexcept {
  constexpr Nanos kSoon = 10 * kMillisecond;
  if (closed_) return false;  // who closed it counts those who wait (Hold)
  const bool is_full = waiting_.size() >= max_waiting_;
  if (now >= first_deadline_) return is_full || waiting_.size() >= std::max(look_from_, kWorthALook);
  return is_full && now - looked_at_ >= kSoon;
}

void Gate::take_out_gone(Nanos now, CallList& gone) noexcept {
  looked_at_ = now;
  CallList stay;
  first_deadline_ = kNever;
  while (Call* const call = waiting_.pop()) {
    if (call->deadline() <= now || call->caller_gone()) {
      gone.push(*call);
    } else {
      first_deadline_ = std::min(first_deadline_, call->deadline());
      stay.push(*call);
    }
  }
  waiting_ = std::exchange(stay, {});
  look_from_ = 2 * waiting_.size();
}

}  // namespace busbar::host
