#include "dispatch/call.hpp"

#include <sched.h>
#include <busbar/names.hpp>

#include "dispatch/call_slab.hpp"
#include "dispatch/dispatcher.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

thread_local constinit Call* current_call = nullptr;

// Marks the call as the one that this thread runs; handlers nest when an inline service is called from another.
class RunningHere {
 public:
  explicit RunningHere(Call& call) noexcept : outer_(std::exchange(current_call, &call)) {}
  ~RunningHere() { current_call = outer_; }
  RunningHere(const RunningHere&) = delete;
  RunningHere& operator=(const RunningHere&) = delete;

 private:
  Call* outer_;
};

bool is_text(busbar_text text) noexcept { return cbor::detail::is_utf8(text.data, text.size); }

// What makes a plugin's response none, in words; empty: nothing.
std::string_view fault_of(const busbar_response& response) noexcept {
  if (!is_text(response.name) || !is_text(response.detail)) return "the response has text that is not UTF-8";
  if (response.kind != BUSBAR_RESPONSE_ERROR) return {};
  const std::string_view code(response.name.data, response.name.size);
  if (!is_error_code(code)) return "the response is an error whose code does not match [a-z][a-z0-9_]{0,63}";
  if (code != code::kBadRpc) return {};
  const std::string_view kind(response.detail.data, response.detail.size);
  for (const auto known : {badrpc::kExit, badrpc::kNodedown, badrpc::kTimeout, badrpc::kBadReturn, badrpc::kUnloaded}) {
    if (kind == known) return {};
  }
  return "the response is a badrpc of a kind that there is not";
}

// Whether a plugin's bytes are one whole item of this kind. Others will read it long after the plugin was told that its
// answer is good.
bool is_item(busbar_bytes bytes, cbor::detail::Major kind) noexcept {
  try {
    cbor::detail::Reader reader({bytes.data, bytes.size});
    const auto head = reader.item_head(0);
    reader.skip_body(head, 0);
    reader.expect_end();
    return head.major() == kind;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

// ------------------------------------------------------------------------------------------------ the reply buffer

Call::ReplyBuffer::ReplyBuffer() noexcept : c_buffer{} {
  c_buffer.grow = [](busbar_buffer* self, std::size_t capacity) {
    Block& storage = reinterpret_cast<ReplyBuffer*>(self)->block;  // its first member
    try {
      storage.grow(capacity);
    } catch (const std::bad_alloc&) {
      return -1;
    }
    self->data = storage.data();
    self->capacity = storage.capacity();
    return 0;
  };
}

Payload Call::ReplyBuffer::take(std::size_t size) noexcept {
  c_buffer.data = nullptr;
  c_buffer.size = c_buffer.capacity = 0;
  return Payload::own(std::move(block), size);
}

// ----------------------------------------------------------------------------------------------- the waiting side

Call::Call() noexcept : owned_message_(Message::blank()) {}

Call* Call::current() noexcept { return current_call; }

void Call::begin(Dispatcher& dispatcher, Endpoint& endpoint, Purpose purpose, const Message& message, Nanos deadline,
                 std::uint32_t timeout_ms, bool runs_inline) noexcept {
  dispatcher_.store(&dispatcher, std::memory_order_relaxed);
  endpoint_ = &endpoint;
  purpose_ = purpose;
  message_ = &message;
  deadline_ = deadline;
  timeout_ms_ = timeout_ms;
  runs_inline_ = runs_inline;
  dry_run_ = message.dry_run();
  has_callback_ = false;
  staged_ = false;
  outcome_taken_ = false;
  state_.store(kRunning, std::memory_order_relaxed);
  references_.store(2, std::memory_order_relaxed);
  answerers_.store(1, std::memory_order_relaxed);
  waiter_.reset();
}

void Call::own_message(Message&& message) noexcept {
  owned_message_ = std::move(message);
  message_ = &owned_message_;
}

void Call::deliver_to(Callback callback, Nanos begun) noexcept {
  callback_ = std::move(callback);
  begun_ = begun;
  has_callback_ = true;
  watched_deadline_.store(kUnwatched, std::memory_order_relaxed);
}

bool Call::watch() noexcept {
  if (staged_) return false;
  Nanos expected = kUnwatched;
  return watched_deadline_.compare_exchange_strong(expected, deadline_, std::memory_order_seq_cst);
}

bool Call::wait(YieldGuard& guard, Supervisor& supervisor) noexcept {
  if (waiter_.wait_awake(guard)) return true;
  // The supervisor watches the deadline: a timeout of the kernel's for each sleep costs more than the rest of it.
  watched_deadline_.store(deadline_, std::memory_order_seq_cst);
  supervisor.wake_at(deadline_);
  waiter_.wait_asleep(kNever);
  Nanos watched = deadline_;
  while (!watched_deadline_.compare_exchange_weak(watched, kNever, std::memory_order_acq_rel) && watched != kNever) {
    if (watched == kClaimed) sched_yield();  // the supervisor is about to let go of this slot
    watched = deadline_;
  }
  return (state_.load(std::memory_order_acquire) & kGone) == 0;
}

Message Call::take_message() {
  // A deferred answer may come while the handler still runs, and reads.
  if (message_ != &owned_message_ || (state_.load(std::memory_order_acquire) & kRunning) != 0) return *message_;
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
  if (watched >= kUnwatched || watched == kClaimed) return kNever;
  if (dispatcher_.load(std::memory_order_relaxed) != &whose) return kNever;
  if (watched > now) return watched;
  // Claims this very call: a later one in the same slot has a later deadline.
  if (!watched_deadline_.compare_exchange_strong(watched, kClaimed, std::memory_order_acq_rel)) return kNever;
  if (has_callback_) {
    expire_callback();
  } else {
    expire_waiter();
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

void Call::expire_callback() noexcept {
  state_.fetch_or(kGone, std::memory_order_acq_rel);
  Message outcome(*message_);
  outcome.strip_for_return();
  outcome.respond(Response::service_timeout(outcome.service_name(), outcome.id(), timeout_ms_));
  if (purpose_ == Purpose::serve) {
    dispatcher().report_end(*endpoint_, outcome, begun_);
    endpoint_->instance().count_error();
  }
  run_callback(std::move(outcome));
  release();
}

bool Call::cancel() noexcept {
  Nanos watched = watched_deadline_.load(std::memory_order_acquire);
  do {
    if (watched == kNever || watched == kClaimed) return false;
  } while (!watched_deadline_.compare_exchange_weak(watched, kClaimed, std::memory_order_acq_rel));
  state_.fetch_or(kGone, std::memory_order_acq_rel);
  callback_ = nullptr;
  release();
  return true;
}

void Call::run_callback(Message outcome) noexcept {
  const Callback callback = std::exchange(callback_, nullptr);
  dispatcher().run_callback(callback, std::move(outcome));
}

// --------------------------------------------------------------------------------------------- the answering side

void Call::stage(Response response) noexcept {
  if (!claim_answer()) return;
  response_ = std::move(response);
  assigns_changed_ = false;
  staged_ = true;
}

busbar_status Call::reply(const busbar_reply& reply) noexcept {
  if (reply.struct_size < sizeof(busbar_reply) || reply.response == nullptr) return BUSBAR_INVALID;
  if (reply.response->struct_size < sizeof(busbar_response)) return BUSBAR_INVALID;
  const std::uint32_t kind = reply.response->kind;
  if (kind == BUSBAR_RESPONSE_NONE || kind > BUSBAR_RESPONSE_ERROR) return BUSBAR_INVALID;
  if (reply.events.size != 0 && !is_item(reply.events, cbor::detail::kArray)) return BUSBAR_INVALID;
  if (reply.assigns.size != 0 && !is_item(reply.assigns, cbor::detail::kMap)) return BUSBAR_INVALID;
  if (!claim_answer()) return BUSBAR_ALREADY_ANSWERED;
  try {
    take_reply(reply);
  } catch (const std::exception&) {
    response_ = Response::bad_rpc(badrpc::kExit, "the host had no memory for the answer");
  }
  if (current_call == this) {
    staged_ = true;
  } else {
    deliver();
  }
  return BUSBAR_DONE;
}

void Call::take_reply(const busbar_reply& reply) {
  const busbar_response& from = *reply.response;
  Payload value;
  if ((from.flags & BUSBAR_RESPONSE_HAS_VALUE) != 0 && from.value.size != 0) {
    const bool in_buffer = from.value.data == reply_buffer_.c_buffer.data;
    value = in_buffer ? reply_buffer_.take(from.value.size) : Payload::copy({from.value.data, from.value.size});
  }
  if (const auto fault = fault_of(from); !fault.empty()) [[unlikely]] {
    response_ = Response::bad_rpc(badrpc::kBadReturn, fault);
  } else if (from.text.size != 0 && !is_text(from.text)) [[unlikely]] {
    busbar_response shown = from;  // somebody else's words, such as an exception's: shown as far as they can be
    std::string text;
    append_printable(text, {from.text.data, from.text.size});
    shown.text = {text.data(), text.size()};
    response_.assign(shown, std::move(value));
  } else {
    response_.assign(from, std::move(value));
  }
  assigns_changed_ = (reply.flags & BUSBAR_REPLY_ASSIGNS) != 0;
  if (assigns_changed_) assigns_ = Payload::copy({reply.assigns.data, reply.assigns.size});
  if (dry_run_ == DryRun::verbose) events_ = Payload::copy({reply.events.data, reply.events.size});
}

void Call::deliver() noexcept {
  if (has_callback_) {
    // Whoever takes the watched deadline away ends the call: this thread, the supervisor, or a canceller.
    if (watched_deadline_.exchange(kNever, std::memory_order_acq_rel) == kClaimed) return;
    state_.fetch_or(kDelivered, std::memory_order_acq_rel);
    Message outcome = take_message();
    put_outcome(outcome);
    if (purpose_ == Purpose::serve) dispatcher().report_end(*endpoint_, outcome, begun_);
    dispatcher().conclude(outcome, *endpoint_, purpose_);
    run_callback(std::move(outcome));
    release();
    return;
  }
  // The caller, if it is still there, counts and takes the outcome, and holds its reference until then.
  if ((state_.fetch_or(kDelivered, std::memory_order_acq_rel) & kGone) == 0) waiter_.complete();
}

void Call::serve() noexcept {
  const RunningHere here(*this);
  try {
    authorize_and_handle();
  } catch (...) {
    // The C++ SDK lets none through; a plugin in another language may. Nothing of it is kept: its type may be unmapped.
    stage(Response::bad_rpc(badrpc::kExit, "an exception left the plugin's handler"));
  }
}

void Call::authorize_and_handle() {
  busbar_response unused{};
  busbar_message view = message_->c_view(unused);
  view.deadline_us = deadline_ / kMicrosecond;
  if (!authorize(view)) return;
  if (purpose_ == Purpose::authorize_only) {
    stage(Response::ok());
    return;
  }
  handle(view);
}

bool Call::authorize(const busbar_message& view) {
  dispatcher().emit(EventKind::checking_if_service_call_is_authorized, *this);
  const busbar_router& router = endpoint_->instance().router();
  const std::uint32_t verdict = router.authorize == nullptr
                                    ? static_cast<std::uint32_t>(BUSBAR_FORBIDDEN)
                                    : router.authorize(router.self, &endpoint_->c_service(), this, &view);
  if (verdict == BUSBAR_AUTHORIZED) return true;
  if (verdict == BUSBAR_FORBIDDEN) stage(Response::forbidden());
  if (!staged_) {
    stage(Response::bad_rpc(badrpc::kBadReturn, "authorize returned neither a verdict nor an error"));
  } else if (response_.kind() != Response::Kind::error) {
    response_ = Response::bad_rpc(badrpc::kBadReturn, "authorize answered with something that is no error");
  }
  return false;
}

void Call::handle(const busbar_message& view) {
  const busbar_router& router = endpoint_->instance().router();
  const bool timed = dispatcher().wants(EventKind::execution_finished);
  const Nanos begun = timed ? now_ns() : 0;
  dispatcher().emit(EventKind::executing_service, *this);
  const std::uint32_t handled = router.handle(router.self, &endpoint_->c_service(), this, &view);
  if (timed) dispatcher().emit(EventKind::execution_finished, *this, now_ns() - begun);
  if (handled != BUSBAR_NO_REPLY && (state_.load(std::memory_order_acquire) & kAnswered) == 0) {
    stage(Response::bad_rpc(badrpc::kBadReturn, "the handler said that it had answered, but gave no valid answer"));
  }
}

void Call::settle() noexcept {
  state_.fetch_and(~kRunning, std::memory_order_acq_rel);
  if (staged_) deliver();  // an answer from another thread has delivered itself
  release_answerer();
}

void Call::release_answerer() noexcept {
  if (answerers_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (claim_answer()) {
    response_ = Response::bad_rpc(badrpc::kBadReturn, "reply dropped");
    assigns_changed_ = false;
    deliver();
  }
  release();
}

void Call::run() noexcept {
  if ((state_.load(std::memory_order_acquire) & kGone) != 0 || now_ns() >= deadline_) {
    // C-D8: what ran out of time while it queued is not started.
    stage(Response::service_timeout(message_->service_name(), message_->id(), timeout_ms_));
    return;
  }
  serve();
}

void Call::finish() noexcept { settle(); }

void Call::drop() noexcept { refuse(Response::bad_rpc(badrpc::kUnloaded, "the host is stopping")); }

void Call::refuse(Response why) noexcept {
  stage(std::move(why));
  settle();
}

void Call::keep_ids() noexcept {
  if (!kept_id_.empty()) return;
  kept_id_ = Text(message_->id());
  kept_correlation_id_ = Text(message_->correlation_id());
  kept_metadata_ = message_->logger_metadata();
}

void Call::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) recycle();
}

void Call::recycle() noexcept {
  Instance& instance = endpoint_->instance();
  if (message_ == &owned_message_) owned_message_ = Message::blank();
  if (!outcome_taken_) {
    response_ = {};
    assigns_ = {};
    events_ = {};
  }
  if (!kept_id_.empty()) {
    kept_id_ = {};
    kept_correlation_id_ = {};
    kept_metadata_.clear();
  }
  reply_buffer_.c_buffer.size = 0;
  CallSlab::instance().recycle(*this);
  instance.leave();
}

}  // namespace busbar::host
