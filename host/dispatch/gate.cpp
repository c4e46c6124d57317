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

// ------------------------------------------------------------------------------------------------------------ the gate

void Gate::set(std::uint32_t max_running, std::size_t max_waiting) noexcept {
  max_running_ = max_running;
  max_waiting_ = max_waiting;
}

Gate::Entry Gate::enter(Call& call, Nanos now, CallList& gone) noexcept {
  const MutexLock lock(mutex_);
  if (running_ < max_running_) {
    ++running_;
    return Entry::kIn;
  }
  if (waiting_.size() >= max_waiting_ && now >= first_deadline_) take_out_gone(now, gone);
  if (waiting_.size() >= max_waiting_) return Entry::kFull;
  first_deadline_ = std::min(first_deadline_, call.deadline());
  waiting_.push(call);
  return Entry::kWaits;
}

Call* Gate::leave() noexcept {
  const MutexLock lock(mutex_);
  Call* const next = waiting_.pop();
  if (next == nullptr) --running_;  // else the place goes from hand to hand: nobody who comes later is quicker
  if (waiting_.empty()) first_deadline_ = kNever;
  return next;
}

void Gate::take_out_gone(Nanos now, CallList& gone) noexcept {
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
}

}  // namespace busbar::host
