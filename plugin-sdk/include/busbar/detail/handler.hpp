// From a member function of a router to one that the boundary can call: decodes its argument, runs it, and sends what
// it returns.
#pragma once

#include <busbar/context.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <optional>
#include <type_traits>

namespace busbar {

class Router;

namespace detail {

/// A handler with its type erased, small enough to be copied. A member pointer and the function that knows its type.
struct BoundHandler {
  using Invoke = std::uint32_t (*)(Router&, const BoundHandler&, const busbar_host&, busbar_call*, Message&);
  Invoke invoke = nullptr;
  alignas(std::max_align_t) std::byte member[2 * sizeof(void*)] = {};
};

template <class T>
inline constexpr bool is_message_v = std::same_as<std::remove_cvref_t<T>, Message>;
template <class T>
inline constexpr bool is_context_v = std::same_as<T, Context&> || std::same_as<T, const Context&>;

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

/// What a handler takes first: a request type, the message, or nothing of either (void).
template <class... Args>
struct FirstArgument {
  using type = void;
};
template <class First, class... Rest>
struct FirstArgument<First, Rest...> {
  using type = std::conditional_t<is_context_v<First>, void, First>;
};

template <class... Args>
consteval bool takes_context() {
  return (false || ... || is_context_v<Args>);
}

/// A context is the host's and cannot be taken by value; a message that is moved away cannot carry the answer.
template <class T>
inline constexpr bool is_argument_v = is_context_v<T> || (!std::same_as<std::remove_cvref_t<T>, Context> &&
                                                          !(is_message_v<T> && std::is_rvalue_reference_v<T>));

template <class... Args>
consteval bool is_signature() {
  constexpr std::size_t count = sizeof...(Args);
  if constexpr (!(true && ... && is_argument_v<Args>)) {
    return false;
  } else if constexpr (count == 0) {
    return true;
  } else if constexpr (count == 1) {
    return true;
  } else if constexpr (count == 2) {
    return []<class First, class Second>(std::type_identity<First>, std::type_identity<Second>) {
      return !is_context_v<First> && is_context_v<Second>;
    }(std::type_identity<Args>{}...);
  } else {
    return false;
  }
}

/// A request that is changed would be lost, and a pointer has no owner.
template <class T>
inline constexpr bool is_request_v = std::is_void_v<T> || is_message_v<T> ||
                                     (!std::is_pointer_v<std::remove_cvref_t<T>> &&
                                      (!std::is_lvalue_reference_v<T> || std::is_const_v<std::remove_reference_t<T>>));

inline std::uint32_t reply_with(const busbar_host& host, busbar_call* call, const Response& response,
                                const Message& message) {
  send_reply(host, call, response, message.assigns_changed() || message.has_events() ? &message : nullptr);
  return BUSBAR_REPLIED;
}

/// Encodes `value` straight into the host's buffer, so that the answer is written once.
template <class T>
std::uint32_t reply_with_value(const busbar_host& host, busbar_call* call, const T& value, const Message& message) {
  busbar_buffer* buffer = host.reply_buffer(call);
  buffer->size = 0;
  cbor::ByteSink sink(*buffer);
  cbor::encode(value, sink);
  sink.commit();
  return reply_with(host, call, Response::ok_payload(Payload::borrow({buffer->data, buffer->size})), message);
}

/// Sends what a handler returned.
template <class Result>
std::uint32_t send_result(const busbar_host& host, busbar_call* call, Result& result, const Message& message) {
  if constexpr (std::same_as<Result, NoReply>) {
    return BUSBAR_NO_REPLY;
  } else if constexpr (std::same_as<Result, Response>) {
    if (!result) {
      return reply_with(host, call,
                        Response::bad_rpc(badrpc::kBadReturn, "the handler returned a Response that says nothing"),
                        message);
    }
    return reply_with(host, call, result, message);
  } else if constexpr (is_message_v<Result>) {
    if (!result.response()) {
      return reply_with(host, call,
                        Response::bad_rpc(badrpc::kBadReturn, "the handler returned a message without a response"),
                        result);
    }
    return reply_with(host, call, result.response(), result);
  } else if constexpr (is_optional<Result>::value) {
    if (!result) return reply_with(host, call, Response::ok(), message);
    return reply_with_value(host, call, *result, message);
  } else {
    return reply_with_value(host, call, result, message);
  }
}

/// The typed request, or nothing after having answered why it cannot be had.
template <class Request>
std::optional<Request> read_request(const busbar_host& host, busbar_call* call, const Message& message) {
  try {
    // Decoded where it is to lie, without a move: the optional is made from whatever converts to it.
    struct Decoded {
      const Message& from;
      operator Request() const { return from.raw_request_as<Request>(); }
    };
    std::optional<Request> request(std::in_place, Decoded{message});
    if (Problems problems = validate(*request); !problems.empty()) {
      reply_with(host, call, Response::validation_error(problems.all()), message);
      return std::nullopt;
    }
    return request;
  } catch (const DecodeError& error) {
    reply_with(host, call, Response::validation_error(error.fields()), message);
  } catch (const MalformedPayload& error) {
    reply_with(host, call, Response::error(code::kMalformed, error.what()), message);
  }
  return std::nullopt;
}

template <class Derived, class Member, class Result, class... Args>
struct HandlerInvoker {
  static Result run(Derived& router, Member member, const busbar_host& host, busbar_call* call, Message& message,
                    auto&&... request) {
    if constexpr (takes_context<Args...>()) {
      Context context(host, call, message);
      return (router.*member)(std::forward<decltype(request)>(request)..., context);
    } else {
      return (router.*member)(std::forward<decltype(request)>(request)...);
    }
  }

  static std::uint32_t finish(Derived& router, Member member, const busbar_host& host, busbar_call* call,
                              Message& message, auto&&... request) {
    if constexpr (std::is_void_v<Result>) {
      run(router, member, host, call, message, std::forward<decltype(request)>(request)...);
      // A handler that takes the message may have put its answer there.
      if (message.halted() && message.response()) return reply_with(host, call, message.response(), message);
      return reply_with(host, call, Response::ok(), message);
    } else {
      auto result = run(router, member, host, call, message, std::forward<decltype(request)>(request)...);
      return send_result(host, call, result, message);
    }
  }

  static std::uint32_t invoke(Router& base, const BoundHandler& handler, const busbar_host& host, busbar_call* call,
                              Message& message) {
    auto& router = static_cast<Derived&>(base);
    Member member;
    std::memcpy(&member, handler.member, sizeof member);
    using First = typename FirstArgument<Args...>::type;
    if constexpr (std::is_void_v<First>) {
      return finish(router, member, host, call, message);
    } else if constexpr (is_message_v<First>) {
      if constexpr (std::is_reference_v<First>) {
        return finish(router, member, host, call, message, message);
      } else {
        return finish(router, member, host, call, message, Message(message));
      }
    } else {
      auto request = read_request<std::remove_cvref_t<First>>(host, call, message);
      if (!request) return BUSBAR_REPLIED;
      return finish(router, member, host, call, message, std::move(*request));
    }
  }
};

/// Erases a handler's type, after checking it.
template <class Derived, class Result, class... Args, class Member>
BoundHandler bind(Member member) {
  using First = typename FirstArgument<Args...>::type;
  static_assert(is_signature<Args...>(),
                "busbar: a handler takes (), (const Request&), (const Request&, Context&), (Message&), "
                "(Message&, Context&) or (Context&)");
  static_assert(
      is_request_v<First>,
      "busbar: a handler takes its request by value or const reference, never by pointer or mutable reference");
  static_assert(!std::is_pointer_v<Result> && !std::is_reference_v<Result>,
                "busbar: a handler returns a value, a busbar::Response, a busbar::Message, void or busbar::NoReply, "
                "never a pointer or reference");
  BoundHandler out;
  static_assert(sizeof member <= sizeof out.member);
  std::memcpy(out.member, &member, sizeof member);
  out.invoke = &HandlerInvoker<Derived, Member, Result, Args...>::invoke;
  return out;
}

}  // namespace detail
}  // namespace busbar
