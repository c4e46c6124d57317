#include "dispatch/call.hpp"

#include <sched.h>

#include <functional>
#include <new>
#include <string_view>
#include <utility>

#include "dispatch/call_slab.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

namespace {

thread_local constinit const Call* ending_call = nullptr;

}  // namespace

const Call* Call::ending() noexcept { return ending_call; }

// ----------------------------------------------------------------------------------------------- the waiting side

Call::Call() noexcept : owned_message_(Message::blank()) {}

void Call::begin(Dispatcher& dispatcher, Endpoint* endpoint, Purpose purpose, const Message& message, Nanos deadline,
                 std::uint32_t timeout_ms, bool runs_inline) noexcept {
  dispatcher_.store(&dispatcher, std::memory_order_relaxed);
  endpoint_.store(endpoint, std::memory_order_relaxed);
  purpose_ = purpose;
  message_ = &message;
  deadline_ = deadline;
  timeout_ms_ = timeout_ms;
  runs_inline_ = runs_inline;
  is_told_as_a_whole_ = was_handled_ = false;
  dry_run_ = message.dry_run();
  is_sampled_ = busbar::is_sampled(message.traceparent());
  ending_ = Ending::waiter;
  staged_ = false;
  outcome_taken_ = false;
  progress_.store(CallRow::State::queued, std::memory_order_relaxed);
  started_.store(0, std::memory_order_relaxed);
  stopped_.store(0, std::memory_order_relaxed);
  attempt_open_.store(false, std::memory_order_relaxed);
  state_.store(kRunning, std::memory_order_relaxed);
  references_.store(endpoint == nullptr ? 1 : 2, std::memory_order_relaxed);
  answerers_.store(1, std::memory_order_relaxed);
  waiter_.reset();
}

void Call::own_message(Message&& message) noexcept {
  owned_message_ = std::move(message);
  message_ = &owned_message_;
}

void Call::own_copy(const Message& message) noexcept {
  try {
    own_message(Message(message));
  } catch (const std::bad_alloc&) {
    own_message(Message::blank());
  }
}

void Call::deliver_to(Callback callback) noexcept {
  callback_ = std::move(callback);
  ending_ = Ending::callback;
  watched_deadline_.store(kUnwatched, std::memory_order_relaxed);
}

// Who asks, whichever way the request came: one that was forwarded here is cancelled through another connection than it
// is answered through.
std::uint64_t Call::key_of(const Requester& requester) noexcept {
  return std::hash<std::string_view>{}(requester.name()) ^ requester.incarnation();
}

void Call::answer_to(std::shared_ptr<Requester> requester, std::uint64_t attempt) noexcept {
  ending_ = Ending::requester;
  requester_ = std::move(requester);
  requester_attempt_.store(attempt, std::memory_order_relaxed);
  requested_by_.store(key_of(*requester_), std::memory_order_relaxed);
  watched_deadline_.store(kUnwatched, std::memory_order_relaxed);
  served_as_.store(++attempts_made_, std::memory_order_release);
}

void Call::cancel_for(const Requester& requester, std::uint64_t attempt) noexcept {
  const std::uint64_t number = served_as_.load(std::memory_order_acquire);
  if (number == 0 || requested_by_.load(std::memory_order_acquire) != key_of(requester)) return;
  if (requester_attempt_.load(std::memory_order_acquire) != attempt) return;
  // Should the slot be another call's by now, that one has another number, and nothing happens.
  if (served_as_.load(std::memory_order_acquire) == number) given_up_.store(number, std::memory_order_release);
}

bool Call::watch() noexcept {
  if (staged_) return false;
  Nanos expected = kUnwatched;
  return watched_deadline_.compare_exchange_strong(expected, deadline_, std::memory_order_seq_cst);
}

bool Call::pause_watch() noexcept {
  Nanos watched = watched_deadline_.load(std::memory_order_acquire);
  do {
    if (watched == kClaimed) return false;
  } while (!watched_deadline_.compare_exchange_weak(watched, kPaused, std::memory_order_acq_rel));
  return true;
}

bool Call::watch_again() noexcept {
  Nanos expected = kPaused;
  return watched_deadline_.compare_exchange_strong(expected, deadline_, std::memory_order_seq_cst);
}

bool Call::wait(YieldGuard& guard, Supervisor& supervisor) noexcept {
  if (waiter_.done() || waiter_.wait_awake(guard)) return true;
  // The supervisor watches the deadline: a timeout of the kernel's for each sleep costs more than the rest of it.
  watched_deadline_.store(deadline_, std::memory_order_seq_cst);
  supervisor.wake_at(deadline_);
  waiter_.wait_asleep(kNever);
  stop_watching();
  return (state_.load(std::memory_order_acquire) & kGone) == 0;
}

// By who must know that the supervisor has let go of the slot, where that does not end the call.
void Call::stop_watching() noexcept {
  Nanos watched = watched_deadline_.load(std::memory_order_acquire);
  while (watched != kNever) {
    if (watched == kClaimed) {
      sched_yield();
      watched = watched_deadline_.load(std::memory_order_acquire);
    } else if (watched_deadline_.compare_exchange_weak(watched, kNever, std::memory_order_acq_rel)) {
      return;
    }
  }
}

bool Call::wait_at_peer(Seat& seat) noexcept {
  const std::shared_ptr<Peer> peer = peer_;
  peer->wait(seat, deadline_);
  return waiter_.done() || !give_up_waiting();
}

// False: somebody was quicker, and the answer is there.
bool Call::give_up_waiting() noexcept {
  const bool delivered = (state_.fetch_or(kGone, std::memory_order_acq_rel) & kDelivered) != 0;
  if (!delivered) {
    abandon_attempt();
    return true;
  }
  // The waiter is used again for the next attempt: whoever completes it must have done so.
  while (!waiter_.done()) sched_yield();
  state_.fetch_and(~kGone, std::memory_order_acq_rel);
  return false;
}

Message Call::take_message() {
  // A deferred answer may come while the handler still runs, and reads.
  if (message_ != &owned_message_ || (state_.load(std::memory_order_acquire) & kRunning) != 0) return *message_;
  hide();  // not before: who ran the handler may have shown it meanwhile
  return std::move(owned_message_);
}

void Call::put_outcome(Message& base) {
  outcome_taken_ = true;
  base.strip_for_return();
  if (assigns_changed_) base.with_assigns(std::move(assigns_));
  if (!events_.empty() && base.dry_run() == DryRun::verbose) base.with_events(events_);
  base.respond(std::move(response_));
  events_.clear();
}

Nanos Call::expire(const Dispatcher& whose, Nanos now) noexcept {
  Nanos watched = watched_deadline_.load(std::memory_order_acquire);
  if (watched >= kPaused || watched == kClaimed) return kNever;
  if (dispatcher_.load(std::memory_order_relaxed) != &whose) return kNever;
  if (watched > now) return watched;
  // Claims this very call: a later one in the same slot has a later deadline.
  if (!watched_deadline_.compare_exchange_strong(watched, kClaimed, std::memory_order_acq_rel)) return kNever;
  switch (ending_) {
    case Ending::waiter:
      expire_waiter();
      break;
    case Ending::callback:
      expire_callback();
      break;
    case Ending::requester:
      expire_for_requester();
      break;
  }
  return kNever;
}

// The caller cannot leave the slot before the claim is taken back.
void Call::expire_waiter() noexcept {
  std::uint32_t state = state_.load(std::memory_order_acquire);
  while ((state & kDelivered) == 0) {
    if (!state_.compare_exchange_weak(state, state | kGone, std::memory_order_acq_rel)) continue;
    waiter_.complete();
    break;
  }
  watched_deadline_.store(kNever, std::memory_order_release);
}

// Who answers waits until the claim is taken back, and so do the slot and the message.
void Call::expire_for_requester() noexcept {
  state_.fetch_or(kGone, std::memory_order_seq_cst);
  dispatcher().count_late(*this);
  watched_deadline_.store(kNever, std::memory_order_release);
}

void Call::expire_callback() noexcept {
  state_.fetch_or(kGone, std::memory_order_seq_cst);
  abandon_attempt();
  Message outcome(*message_);
  outcome.strip_for_return();
  outcome.respond(Response::service_timeout(outcome.service_name(), outcome.id(), timeout_ms_));
  if (end_attempt()) {  // else it was between two
    dispatcher().report_end(*this, outcome, outcome.response());
    dispatcher().count_end(*this, outcome.response());
  }
  run_callback(std::move(outcome));
  release();
}

bool Call::cancel() noexcept {
  Nanos watched = watched_deadline_.load(std::memory_order_acquire);
  do {
    if (watched == kNever || watched == kClaimed) return false;
  } while (!watched_deadline_.compare_exchange_weak(watched, kClaimed, std::memory_order_acq_rel));
  state_.fetch_or(kGone, std::memory_order_seq_cst);
  if (const std::uint64_t attempt = abandon_attempt()) {
    dispatcher().tell_cancelled(moved_to_ ? *moved_to_ : *peer_, attempt);
  }
  callback_ = nullptr;
  release();
  return true;
}

void Call::deliver(const Peer* from) noexcept {
  switch (ending_) {
    case Ending::waiter: {
      // It may be asleep at a socket that we do not work; and once it is told it may be gone with the slot.
      const std::shared_ptr<Peer> seat = peer_.get() == from ? nullptr : peer_;
      // The caller, if it is still there, counts and takes the outcome, and holds its reference until then.
      if ((state_.fetch_or(kDelivered, std::memory_order_acq_rel) & kGone) != 0) return;
      waiter_.complete();
      if (seat) seat->ring();
      return;
    }
    case Ending::callback:
      return dispatcher().go_on(*this);
    case Ending::requester:
      stop_watching();
      return dispatcher().answer(*this);
  }
}

void Call::finish_callback() {
  hide();
  state_.fetch_or(kDelivered, std::memory_order_acq_rel);
  Message outcome = take_message();
  put_outcome(outcome);
  run_callback(std::move(outcome));
  release();
}

void Call::run_callback(Message outcome) noexcept {
  dispatcher().log_end(*this, outcome.service_name(), ids_of(outcome), outcome.response());
  const Callback callback = std::exchange(callback_, nullptr);
  const Call* const outer = std::exchange(ending_call, this);
  dispatcher().run_callback(callback, std::move(outcome));
  ending_call = outer;
}

void Call::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) recycle();
}

void Call::recycle() noexcept {
  Endpoint* const endpoint = this->endpoint();
  hide();
  if (message_ == &owned_message_) owned_message_ = Message::blank();
  if (!outcome_taken_) {
    response_ = {};
    assigns_ = {};
    events_ = {};
  }
  if (has_kept_ids()) {
    ids_.store(Ids::with_message, std::memory_order_relaxed);
    kept_id_ = {};
    kept_correlation_id_ = {};
    kept_causation_id_ = {};
    kept_traceparent_ = {};
    kept_metadata_.clear();
  }
  reply_buffer_.c_buffer.size = 0;
  forget_others();
  CallSlab::instance().recycle(*this);
  if (endpoint != nullptr) endpoint->instance().leave();
}

// What only calls to and from other nodes have.
void Call::forget_others() noexcept {
  unstarted_ = false;
  if (ending_ == Ending::requester) {
    served_as_.store(0, std::memory_order_release);
    requester_->call_ended();
    requester_.reset();
  }
  if (peer_) {
    is_with(nullptr);
    peer_.reset();
    moved_to_.reset();
    if (!answered_at_.empty()) answered_at_ = {};
  }
  lost_ = forwards_ = is_forwarded_ = is_nested_ = idempotent_ = keeps_last_ = false;
  if (moved_from_) moved_from_.reset();
  if (!tried_.empty()) tried_.clear();
  if (wishes_.any()) wishes_ = {};
  if (circle_) circle_.reset();
  if (held_by_callers_.callers) held_by_callers_ = {};
}

}  // namespace busbar::host
