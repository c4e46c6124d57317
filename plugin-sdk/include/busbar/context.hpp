// What a handler knows and may do besides its request; and the handle with which it can answer later.
#pragma once

#include <busbar/host.hpp>
#include <busbar/message.hpp>

#include <chrono>
#include <string>
#include <type_traits>
#include <utility>

namespace busbar {

/// Returned by a handler that leaves the answer to whoever holds the reply handle (C-R4).
struct NoReply {};
inline constexpr NoReply no_reply{};

namespace detail {

inline bool send_reply(const busbar_host& host, busbar_call* call, const Response& response,
                       const Message* message = nullptr) {
  const busbar_response view = response.c_view();
  busbar_reply reply{};
  reply.struct_size = sizeof reply;
  reply.response = &view;
  if (message != nullptr) {
    if (message->assigns_changed()) {
      reply.flags |= BUSBAR_REPLY_ASSIGNS;
      reply.assigns = {message->assigns().bytes().data(), message->assigns().bytes().size()};
    }
    const Payload events = message->events();
    reply.events = {events.bytes().data(), events.bytes().size()};
    return host.reply(call, &reply) == BUSBAR_DONE;
  }
  return host.reply(call, &reply) == BUSBAR_DONE;
}

}  // namespace detail

/// Answers a call after its handler has returned, from any thread, once. Destroyed unanswered, it answers
/// badrpc(bad_return, "reply dropped"). The plugin stays loaded while it lives; every one must be gone when `stop`
/// returns. Ownership: move-only. Threads: any, one at a time.
class ReplyHandle : public Dispatching {
 public:
  ReplyHandle(const busbar_host& host, busbar_call* call) noexcept : Dispatching(host, call) {
    host_->call_retain(parent_);
  }
  ReplyHandle(ReplyHandle&& other) noexcept : Dispatching(*other.host_, std::exchange(other.parent_, nullptr)) {}
  ReplyHandle& operator=(ReplyHandle&& other) noexcept {
    if (this != &other) {
      release();
      host_ = other.host_;
      parent_ = std::exchange(other.parent_, nullptr);
    }
    return *this;
  }
  ~ReplyHandle() { release(); }

  /// Answers. False when the call had its answer already: then nothing is sent. An answer that comes too late is
  /// taken and discarded (C-D6).
  bool reply(const Response& response) { return parent_ != nullptr && detail::send_reply(*host_, parent_, response); }
  /// The same with a whole message: its response, assigns and events.
  bool reply(const Message& message) {
    return parent_ != nullptr && detail::send_reply(*host_, parent_, message.response(), &message);
  }

  std::chrono::microseconds time_left() const { return std::chrono::microseconds(host_->time_left_us(parent_)); }
  bool caller_gone() const { return host_->caller_gone(parent_) != 0; }

 private:
  void release() noexcept {
    if (parent_ != nullptr) host_->call_release(std::exchange(parent_, nullptr));
  }
};

/// A call as its handler sees it. Ownership: the host's; valid until the handler returns. Threads: the handler's.
class Context : public Dispatching {
 public:
  Context(const busbar_host& host, busbar_call* call, Message& message) noexcept
      : Dispatching(host, call), message_(&message) {}

  /// The message that is being served. What a handler adds to it (events, assigns) goes with its answer.
  const Message& message() const noexcept { return *message_; }
  Message& message() noexcept { return *message_; }

  /// A message caused by this one (C-M3), to be dispatched.
  template <class Request>
  Message caused(std::string_view service_name, const Request& request) const {
    return Message::caused_by(*message_, service_name, request);
  }
  /// Calls a service with a typed request and waits: the usual nested call.
  template <class Request>
  Message call(std::string_view service_name, const Request& request, const CallOptions& given = {}) const {
    return dispatch(caused(service_name, request), given);
  }
  template <class Request, class Rep, class Period>
  Message call(std::string_view service_name, const Request& request,
               std::chrono::duration<Rep, Period> timeout) const {
    return dispatch(caused(service_name, request), timeout);
  }

  /// What requests that this handler makes elsewhere should carry as their W3C `traceparent`.
  std::string traceparent() const { return message_->trace().text(); }

  /// What is left of the call's budget; 0 when it is spent (C-D8).
  std::chrono::microseconds time_left() const { return std::chrono::microseconds(host_->time_left_us(parent_)); }
  /// Whether nobody waits for the answer any more: timed out, cancelled, disconnected (C-D8).
  bool caller_gone() const { return host_->caller_gone(parent_) != 0; }
  /// A handle to answer with later; the handler then returns `no_reply`.
  ReplyHandle reply_handle() const { return ReplyHandle(*host_, parent_); }

 private:
  Message* message_;
};

}  // namespace busbar
