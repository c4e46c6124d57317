// A call where it is served: by a router of this node.
#include <busbar/names.hpp>

#include <sched.h>

#include <algorithm>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/foreign_response.hpp"
#include "dispatch/whereabouts.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

thread_local constinit Call* current_call = nullptr;

busbar_caller caller_of(keys::Role role) noexcept {
  switch (role) {
    case keys::Role::node:
      return BUSBAR_CALLER_NODE;
    case keys::Role::client:
      return BUSBAR_CALLER_CLIENT;
    case keys::Role::deployer:
      return BUSBAR_CALLER_DEPLOYER;
  }
  return BUSBAR_CALLER_UNKNOWN;
}

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

}  // namespace

Call* Call::current() noexcept { return current_call; }

// ------------------------------------------------------------------------------------------------ the reply buffer

Call::ReplyBuffer::ReplyBuffer() noexcept : c_buffer{} {
  c_buffer.grow = [](busbar_buffer* self, std::size_t capacity) {
    Block& storage = reinterpret_cast<ReplyBuffer*>(self)->block;  // its first member
    if (capacity <= storage.capacity()) return 0;                  // a block would become smaller
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

// --------------------------------------------------------------------------------------------- the answering side

bool Call::stage(Response response) noexcept {
  if (!claim_answer()) return false;
  response_ = std::move(response);
  assigns_changed_ = false;
  staged_ = true;
  if (is_too_late()) answer_as_late();
  return true;
}

// Of an answer that has been claimed: too late is decided by when it is given, not by who notices first (C-D13). No
// time is asked of an inline service that answers while it runs (C-D17), nor of a refusal: who asks the next provider
// looks at the time itself.
bool Call::is_too_late() const noexcept {
  if (unstarted_ || (runs_inline_ && current_call == this)) return false;
  return now_ns() >= deadline_;
}

// The message may have gone with its caller.
void Call::answer_as_late() noexcept {
  assigns_changed_ = false;
  try {
    response_ = Response::service_timeout(endpoint()->service(), message_id(), timeout_ms_);
  } catch (const std::bad_alloc&) {
    response_ = Response::bad_rpc(badrpc::kTimeout, {});
  }
}

busbar_status Call::reply(const busbar_reply& reply) noexcept {
  if (reply.struct_size < sizeof(busbar_reply) || reply.response == nullptr) return BUSBAR_INVALID;
  if (reply.response->struct_size < sizeof(busbar_response)) return BUSBAR_INVALID;
  const std::uint32_t kind = reply.response->kind;
  if (kind == BUSBAR_RESPONSE_NONE || kind > BUSBAR_RESPONSE_ERROR) return BUSBAR_INVALID;
  if (reply.events.size != 0 && !is_item({reply.events.data, reply.events.size}, cbor::detail::kArray))
    return BUSBAR_INVALID;
  if (reply.assigns.size != 0 && !is_item({reply.assigns.data, reply.assigns.size}, cbor::detail::kMap))
    return BUSBAR_INVALID;
  if (!claim_answer()) return BUSBAR_ALREADY_ANSWERED;
  if (is_too_late()) {
    answer_as_late();
  } else {
    try {
      take_reply(reply);
    } catch (const std::exception&) {
      response_ = Response::bad_rpc(badrpc::kExit, "the host had no memory for the answer");
    }
  }
  if (current_call == this) {
    staged_ = true;
  } else {
    if ((state_.load(std::memory_order_acquire) & kRunning) == 0) leave_places();
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
  take_response(response_, from, std::move(value));
  assigns_changed_ = (reply.flags & BUSBAR_REPLY_ASSIGNS) != 0;
  if (assigns_changed_) assigns_ = Payload::copy({reply.assigns.data, reply.assigns.size});
  if (dry_run_ == DryRun::verbose) events_ = Payload::copy({reply.events.data, reply.events.size});
}

void Call::serve() noexcept {
  const RunningHere here(*this);
  const InsidePlugin inside(endpoint()->instance().facts().number());
  progress_.store(CallRow::State::running, std::memory_order_relaxed);
  if (!runs_inline_) started_.store(ticks(), std::memory_order_relaxed);
  try {
    authorize_and_handle();
  } catch (...) {
    // The C++ SDK lets none through; a plugin in another language may. Nothing of it is kept: its type may be unmapped.
    stage(Response::bad_rpc(badrpc::kExit, "an exception left the plugin's handler"));
  }
  if (runs_inline_ || purpose_ != Purpose::serve) return;  // of those that run here their caller knows the time
  const std::uint64_t at = ticks();
  const bool is_late = stopped_at(at);
  const Ran ran{counted_nanos(begun(), started()), counted_nanos(started(), at)};
  if (CallStats* stats = endpoint()->stats()) stats->ran(ran.queued, ran.running);
  if (is_late && leaves_trail(ran.queued + ran.running)) dispatcher().leave_ran(*this, ran);
}

void Call::authorize_and_handle() {
  busbar_response response;  // written only for a message that has one
  busbar_message view = message_->c_view(response);
  view.deadline_us = deadline_ / kMicrosecond;
  say_who_calls(view);
  if (!is_forwarded_) {  // C-R6: the node that forwarded it has asked both
    if (!authorize(view)) return;
    if (purpose_ == Purpose::authorize_only) {
      stage(Response::ok());
      return;
    }
    if (!chosen_here(view)) return;
  }
  handle(view);
}

// C-R8. What a message itself says of its caller is not believed.
void Call::say_who_calls(busbar_message& view) const noexcept {
  view.caller = BUSBAR_CALLER_LOCAL;
  view.caller_name = {};
  const Requester* requester = ending_ == Ending::requester ? requester_.get() : wishes_.client();
  if (requester == nullptr) [[likely]]
    return;
  const keys::Identity* owner = requester->owner();
  view.caller = owner == nullptr ? BUSBAR_CALLER_UNKNOWN : caller_of(owner->role);
  if (owner != nullptr) view.caller_name = {owner->name.data(), owner->name.size()};
}

bool Call::authorize(const busbar_message& view) {
  dispatcher().emit(EventKind::checking_if_service_call_is_authorized, *this);
  const busbar_router& router = endpoint()->instance().router();
  const std::uint32_t verdict = router.authorize == nullptr
                                    ? static_cast<std::uint32_t>(BUSBAR_FORBIDDEN)
                                    : router.authorize(router.self, &endpoint()->c_service(), this, &view);
  if (verdict == BUSBAR_AUTHORIZED) return true;
  if (verdict == BUSBAR_FORBIDDEN) stage(Response::forbidden());
  if (!staged_) {
    stage(Response::bad_rpc(badrpc::kBadReturn, "authorize returned neither a verdict nor an error"));
  } else if (is_too_late()) {
    answer_as_late();
  } else if (response_.kind() != Response::Kind::error) {
    response_ = Response::bad_rpc(badrpc::kBadReturn, "authorize answered with something that is no error");
  }
  return false;
}

// Asks the router where the call is to run (C-R6). False: not here, or it could not say; then that is staged.
bool Call::chosen_here(const busbar_message& view) {
  const busbar_router& router = endpoint()->instance().router();
  if (router.choose_node == nullptr) return true;
  busbar_node_choice choice{};
  choice.struct_size = sizeof choice;
  // Compared where it comes back: a status that there is not must not become a variable of its type.
  const bool said = router.choose_node(router.self, &endpoint()->c_service(), this, &view, &choice) == BUSBAR_DONE;
  if (staged_) return false;
  if (!said) {
    stage(Response::bad_rpc(badrpc::kExit, "choose_node failed without saying why"));
    return false;
  }
  const std::string_view node(choice.name, std::min<std::size_t>(choice.size, sizeof choice.name));
  if (node.empty() || node == dispatcher().node()) return true;
  if (runs_inline_) {
    stage(Response::bad_rpc(badrpc::kBadReturn, "choose_node named another node for an inline service"));
  } else if (!is_node_name(node)) {
    stage(Response::bad_rpc(badrpc::kBadReturn, "choose_node answered " + in_quotes(node) + ", which does not match " +
                                                    std::string(kNodeNameRule)));
  } else {
    Text chosen(node);  // first: where there is no memory for it, that can still be answered
    if (!stage(Response())) return false;
    wishes_.only_at(std::move(chosen));
    forwards_ = true;
  }
  return false;
}

void Call::handle(const busbar_message& view) {
  const busbar_router& router = endpoint()->instance().router();
  was_handled_ = true;
  const bool timed = dispatcher().wants(EventKind::execution_finished, *this);
  const std::uint64_t begun = timed ? ticks() : 0;
  dispatcher().emit(EventKind::executing_service, *this);
  const std::uint32_t handled = router.handle(router.self, &endpoint()->c_service(), this, &view);
  if (timed) dispatcher().emit(EventKind::execution_finished, *this, begun);
  if (handled != BUSBAR_NO_REPLY && (state_.load(std::memory_order_acquire) & kAnswered) == 0) {
    stage(Response::bad_rpc(badrpc::kBadReturn, "the handler said that it had answered, but gave no valid answer"));
  }
}

void Call::settle() noexcept {
  if (!staged_) [[unlikely]] {
    progress_.store(CallRow::State::deferred, std::memory_order_relaxed);
    if (runs_inline_) show();  // somebody else goes on with it
  }
  const std::uint32_t before = state_.fetch_and(~(kRunning | kMadeUpFor), std::memory_order_acq_rel);
  if ((before & kMadeUpFor) != 0) [[unlikely]]
    dispatcher().end_making_up();
  // First: who hears the answer and calls again finds the place free.
  if ((before & kAnswered) != 0) leave_places();
  if (staged_) deliver();  // an answer from another thread has delivered itself
  release_answerer();
}

void Call::release_answerer() noexcept {
  if (answerers_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (claim_answer()) {
    response_ = Response::bad_rpc(badrpc::kBadReturn, "reply dropped");
    assigns_changed_ = false;
    if (is_too_late()) answer_as_late();
    leave_places();
    deliver();
  }
  release();
}

void Call::run() noexcept {
  if ((state_.load(std::memory_order_acquire) & kAnswered) != 0) return;  // it was ended while it waited its turn
  if (!caller_gone()) return serve();
  stage_as_late();
}

// C-D8: what ran out of time while it queued is not started.
void Call::stage_as_late() noexcept {
  if (!claim_answer()) return;
  answer_as_late();
  staged_ = true;
}

void Call::refuse_as_late() noexcept {
  stage_as_late();
  settle();
}

bool Call::caller_gone() const noexcept {
  if ((state_.load(std::memory_order_acquire) & kGone) != 0 || now_ns() >= deadline_) return true;
  if (ending_ != Ending::requester) return false;
  return requester_->gone() || given_up_.load(std::memory_order_acquire) == served_as_.load(std::memory_order_relaxed);
}

void Call::finish() noexcept { settle(); }

void Call::drop() noexcept { refuse(Response::bad_rpc(badrpc::kUnloaded, "the host is stopping")); }

void Call::refuse(Response why) noexcept {
  unstarted_ = true;
  stage(std::move(why));
  settle();
}

// Whoever is the first to retain does it while the handler runs, which has lent the call, and the message is there.
void Call::keep_ids() noexcept {
  Ids seen = Ids::with_message;
  if (!ids_.compare_exchange_strong(seen, Ids::being_kept, std::memory_order_acq_rel)) {
    while (!has_kept_ids()) sched_yield();
    return;
  }
  kept_id_ = Text(message_->id());
  kept_correlation_id_ = Text(message_->correlation_id());
  kept_causation_id_ = Text(message_->causation_id());
  kept_traceparent_ = Text(message_->handed_on_traceparent());
  kept_metadata_ = message_->logger_metadata();
  ids_.store(Ids::kept, std::memory_order_release);
}

}  // namespace busbar::host
