// A call as a test's host serves it: authorized, handled, and answered once, in time or too late.
#pragma once

#include <busbar/limits.hpp>
#include <busbar/names.hpp>
#include <busbar/testing/detail/state.hpp>

#include <algorithm>
#include <memory>
#include <optional>

namespace busbar::kit::detail {

/// Until when a call may take, and what its caller is told if it takes longer.
struct Budget {
  std::int64_t deadline_us;
  std::uint32_t timeout_ms;

  /// `asked_ms` 0: `usual_ms`, and where that is 0 kUsualTimeoutMs (C-D5). Never beyond `latest_us` (C-D8).
  static Budget of(std::int64_t now_us, std::uint32_t asked_ms, std::uint32_t usual_ms, std::int64_t latest_us) {
    const std::uint32_t timeout_ms = asked_ms != 0 ? asked_ms : usual_ms != 0 ? usual_ms : kUsualTimeoutMs;
    const std::int64_t wanted = now_us + std::int64_t{timeout_ms} * 1000;
    if (wanted <= latest_us) return {wanted, timeout_ms};
    const std::int64_t left = std::max<std::int64_t>(latest_us - now_us, 0);
    return {latest_us, static_cast<std::uint32_t>((left + 999) / 1000)};
  }
};

enum class Purpose { serve, authorize_only };

/// Ownership: shared by whoever waits for it, and by itself for as long as somebody may answer it. Threads: any.
class Call : public std::enable_shared_from_this<Call> {
 public:
  using Ended = std::function<void(Message)>;

  /// `ended` is called once with the outcome, by whoever ends the call; may be empty.
  Call(std::shared_ptr<State> state, const busbar_service& service, const Message& message, Budget budget,
       Ended ended = {})
      : state_(std::move(state)),
        service_(service),
        message_(message),
        budget_(budget),
        ended_callback_(std::move(ended)) {
    buffer_.c.grow = &Buffer::grow;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  static Call* of(busbar_call* call) { return reinterpret_cast<Call*>(call); }
  static const Call* of(const busbar_call* call) { return reinterpret_cast<const Call*>(call); }
  /// The call that this thread runs, or null.
  static Call*& current() {
    static thread_local constinit Call* call = nullptr;
    return call;
  }

  /// Runs it on this thread. Afterwards it has ended, or somebody holds it.
  void serve(Purpose purpose) {
    self_ = shared_from_this();
    Call* const outer = std::exchange(current(), this);
    depth_ = outer == nullptr ? 1 : outer->depth_ + 1;
    if (state_->now_us() >= budget_.deadline_us) {  // C-D8: not started
      (void)give(timed_out(), {});
    } else {
      authorize_and_handle(purpose);
    }
    current() = outer;
    settle();
  }

  // -- for its caller

  /// Waits for the answer, but not for ever: false when nobody has given one after a real time that means a mistake.
  bool wait() BUSBAR_EXCLUDES(state_->mutex) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    const MutexLock lock(state_->mutex);
    while (!outcome_) {
      if (state_->changed.wait_until(state_->mutex, patience) == std::cv_status::timeout) break;
    }
    return outcome_.has_value();
  }
  bool ended() BUSBAR_EXCLUDES(state_->mutex) {
    const MutexLock lock(state_->mutex);
    return outcome_.has_value();
  }
  /// What the caller got; only once it has ended.
  Message outcome() BUSBAR_EXCLUDES(state_->mutex) {
    const MutexLock lock(state_->mutex);
    return *outcome_;
  }
  /// The caller wants the answer no longer.
  void give_up() BUSBAR_EXCLUDES(state_->mutex) {
    {
      const MutexLock lock(state_->mutex);
      given_up_ = true;
    }
    end(Message(message_));
  }

  // -- for the plugin, behind busbar_host

  busbar_buffer* reply_buffer() { return &buffer_.c; }
  busbar_status reply(const busbar_reply& reply) BUSBAR_EXCLUDES(state_->mutex) {
    if (!is_valid(reply)) return BUSBAR_INVALID;
    const Response borrowed = Response::borrow(*reply.response);
    if (!give(Response(borrowed), reply)) return BUSBAR_ALREADY_ANSWERED;
    if (current() != this) deliver();  // else when its handler returns
    return BUSBAR_DONE;
  }
  void retain() BUSBAR_EXCLUDES(state_->mutex) {
    state_->count_handle(1);
    const MutexLock lock(state_->mutex);
    ++holders_;
  }
  void release() BUSBAR_EXCLUDES(state_->mutex) {
    state_->count_handle(-1);
    release_holder();
  }
  std::int64_t time_left_us() const { return std::max<std::int64_t>(budget_.deadline_us - state_->now_us(), 0); }
  bool caller_gone() const BUSBAR_EXCLUDES(state_->mutex) {
    if (time_left_us() == 0) return true;
    const MutexLock lock(state_->mutex);
    return given_up_;
  }
  bool is_inline() const { return (service_.flags & BUSBAR_SERVICE_INLINE) != 0; }
  const Message& message() const { return message_; }
  /// How many calls are nested on this thread, this one included.
  int depth() const { return depth_; }
  std::int64_t deadline_us() const { return budget_.deadline_us; }

 private:
  struct Buffer {
    busbar_buffer c{};  // first: `grow` is given its address
    std::vector<std::uint8_t> bytes;

    static int grow(busbar_buffer* self, std::size_t capacity) {
      auto& bytes = reinterpret_cast<Buffer*>(self)->bytes;
      try {
        bytes.resize(std::max(bytes.size(), capacity));
      } catch (const std::bad_alloc&) {
        return -1;
      }
      self->data = bytes.data();
      self->capacity = bytes.size();
      return 0;
    }
  };
  struct Given {
    Response response;
    std::optional<Payload> assigns;  // nothing: as they were
    Payload events;
  };

  busbar_call* c_call() { return reinterpret_cast<busbar_call*>(this); }
  Response timed_out() const {
    return Response::service_timeout(message_.service_name(), message_.id(), budget_.timeout_ms);
  }

  void authorize_and_handle(Purpose purpose) {
    busbar_response unused{};
    busbar_message view = message_.c_view(unused);
    view.deadline_us = budget_.deadline_us;
    if (!authorize(view)) return;
    if (purpose == Purpose::authorize_only) {
      (void)give(Response::ok(), {});
      return;
    }
    if (!chosen_here(view)) return;
    const busbar_router& router = *state_->router;
    if (router.handle(router.self, &service_, c_call(), &view) == BUSBAR_NO_REPLY) return;
    (void)give(Response::bad_rpc(badrpc::kBadReturn, "the handler gave no valid answer"), {});
  }

  bool authorize(const busbar_message& view) {
    const busbar_router& router = *state_->router;
    const std::uint32_t verdict = router.authorize(router.self, &service_, c_call(), &view);
    if (verdict == BUSBAR_AUTHORIZED) return true;
    (void)give(Response::forbidden(), {});  // unless it gave an error of its own
    const MutexLock lock(state_->mutex);
    if (given_->response.kind() != Response::Kind::error)
      given_->response = Response::bad_rpc(badrpc::kBadReturn, "authorize answered with something that is no error");
    return false;
  }

  // There is no other node here: one that is chosen is answered as a host answers that does not know it.
  bool chosen_here(const busbar_message& view) {
    const busbar_router& router = *state_->router;
    if (router.choose_node == nullptr) return true;
    busbar_node_choice choice{};
    choice.struct_size = sizeof choice;
    if (router.choose_node(router.self, &service_, c_call(), &view, &choice) != BUSBAR_DONE) return false;
    const std::string node(choice.name, choice.size);
    if (node.empty() || node == state_->node) return true;
    if (is_inline() || !is_node_name(node)) {
      (void)give(Response::bad_rpc(badrpc::kBadReturn,
                                   "choose_node named \"" + node + "\", " +
                                       (is_inline() ? "and the service is inline" : "which is no node's name")),
                 {});
    } else {
      (void)give(Response::bad_rpc(badrpc::kNodedown, "no node \"" + node + "\" is known that calls can be sent to"),
                 {});
    }
    return false;
  }

  /// Takes the call's one answer. False: it has one.
  bool give(Response response, const busbar_reply& with) BUSBAR_EXCLUDES(state_->mutex) {
    const MutexLock lock(state_->mutex);
    if (given_) return false;
    given_.emplace();
    given_->response = std::move(response);
    if ((with.flags & BUSBAR_REPLY_ASSIGNS) != 0)
      given_->assigns = Payload::copy({with.assigns.data, with.assigns.size});
    given_->events = Payload::copy({with.events.data, with.events.size});
    return true;
  }

  void release_holder() BUSBAR_EXCLUDES(state_->mutex) {
    {
      const MutexLock lock(state_->mutex);
      if (--holders_ != 0) return;
    }
    const std::shared_ptr<Call> self = std::move(self_);
    if (give(Response::bad_rpc(badrpc::kBadReturn, "reply dropped"), {})) deliver();
  }

  void settle() BUSBAR_EXCLUDES(state_->mutex) {
    bool answered = false;
    {
      const MutexLock lock(state_->mutex);
      answered = given_.has_value();
    }
    if (answered) {
      deliver();
    } else {
      const std::weak_ptr<Call> weak = weak_from_this();
      state_->at(budget_.deadline_us, false, [weak] {
        if (const auto call = weak.lock()) call->end(call->stripped(call->timed_out()));
      });
    }
    release_holder();
  }

  /// Hands the answer to the caller, if that still waits (C-D6).
  void deliver() {
    if (state_->now_us() >= budget_.deadline_us) return end(stripped(timed_out()));
    Message outcome = Message::blank();
    {
      const MutexLock lock(state_->mutex);
      outcome = stripped(given_->response);
      if (given_->assigns) outcome.with_assigns(*given_->assigns);
      if (outcome.dry_run() == DryRun::verbose) outcome.with_events(given_->events);
    }
    end(std::move(outcome));
  }

  /// The message as a caller gets it back (C-M9), with this response.
  Message stripped(const Response& response) const {
    Message out(message_);
    out.strip_for_return();
    out.respond(response);
    return out;
  }

  void end(Message outcome) BUSBAR_EXCLUDES(state_->mutex) {
    Ended callback;
    {
      const MutexLock lock(state_->mutex);
      if (outcome_) return;
      outcome_ = outcome;
      callback = std::move(ended_callback_);
    }
    state_->changed.notify_all();
    if (callback) callback(std::move(outcome));
  }

  static bool is_item(busbar_bytes bytes, std::uint8_t major) {
    try {
      cbor::detail::Reader reader({bytes.data, bytes.size});
      const bool fits = cbor::detail::Reader(reader).item_head(0).major() == major;
      reader.skip(0);
      reader.expect_end();
      return fits;
    } catch (const std::exception&) {
      return false;
    }
  }
  static bool is_valid(const busbar_reply& reply) {
    if (reply.response == nullptr) return false;
    if (reply.response->kind == BUSBAR_RESPONSE_NONE || reply.response->kind > BUSBAR_RESPONSE_ERROR) return false;
    if (reply.events.size != 0 && !is_item(reply.events, cbor::detail::kArray)) return false;
    return reply.assigns.size == 0 || is_item(reply.assigns, cbor::detail::kMap);
  }

  const std::shared_ptr<State> state_;
  const busbar_service& service_;
  Message message_;
  const Budget budget_;
  Buffer buffer_;
  int depth_ = 0;
  std::shared_ptr<Call> self_;  // until the last holder has released it
  Ended ended_callback_ BUSBAR_GUARDED_BY(state_->mutex);
  std::optional<Given> given_ BUSBAR_GUARDED_BY(state_->mutex);
  std::optional<Message> outcome_ BUSBAR_GUARDED_BY(state_->mutex);
  bool given_up_ BUSBAR_GUARDED_BY(state_->mutex) = false;
  int holders_ BUSBAR_GUARDED_BY(state_->mutex) = 1;  // the handler, until it has returned
};

}  // namespace busbar::kit::detail
