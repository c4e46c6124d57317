// What a plugin asks of the host that loaded it: dispatching and logging, with or without a call that causes it.
#pragma once

#include <busbar/abi.h>
#include <busbar/call_options.hpp>
#include <busbar/message.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace busbar {

/// Writes to the host's log, with the plugin's name and, inside a call, the message's ids.
/// Threads: any. Errors: none; text that is not UTF-8 is shown escaped.
class Logger {
 public:
  Logger(const busbar_host& host, const busbar_call* call) noexcept : host_(&host), call_(call) {}

  void trace(std::string_view text) const { write(BUSBAR_LOG_TRACE, text); }
  void debug(std::string_view text) const { write(BUSBAR_LOG_DEBUG, text); }
  void info(std::string_view text) const { write(BUSBAR_LOG_INFO, text); }
  void warn(std::string_view text) const { write(BUSBAR_LOG_WARN, text); }
  void error(std::string_view text) const { write(BUSBAR_LOG_ERROR, text); }

 private:
  void write(busbar_log_level level, std::string_view text) const {
    host_->log(host_->context, call_, level, {text.data(), text.size()});
  }
  const busbar_host* host_;
  const busbar_call* call_;
};

/// Called once with the message that came back. On a thread that must not be blocked, possibly before the dispatch
/// has returned.
using Callback = std::function<void(Message)>;

namespace detail {

/// Copies the outcome out of the host's result, and releases it.
inline Message take_result(const busbar_host& host, busbar_result* result) {
  struct Release {
    const busbar_host& host;
    void operator()(busbar_result* r) const { host.result_release(r); }
  };
  const std::unique_ptr<busbar_result, Release> owner(result, Release{host});
  const Message borrowed = Message::borrow(*host.result_message(result));
  // A copy, said so: it owns what the result is about to free. Returning the name itself may be elided.
  return Message(borrowed);
}

inline busbar_dispatch_options options_of(const CallOptions& given) noexcept {
  busbar_dispatch_options options{};
  options.struct_size = sizeof options;
  options.timeout_ms = timeout_ms_of(given.timeout);
  options.strategy = static_cast<std::uint32_t>(strategy_wanted(given));
  options.sticky_key = {given.sticky_key.data(), given.sticky_key.size()};
  return options;
}

struct PendingCallback {
  const busbar_host& host;
  Callback callback;

  static void done(void* user, busbar_result* result) {
    const std::unique_ptr<PendingCallback> self(static_cast<PendingCallback*>(user));
    try {
      self->callback(take_result(self->host, result));
    } catch (const std::exception& e) {
      Logger(self->host, nullptr).error(std::string("a callback threw: ") + e.what());
    } catch (...) {
      Logger(self->host, nullptr).error("a callback threw something that is no std::exception");
    }
  }
};

}  // namespace detail

/// Where a plugin dispatches from. A time may stand in place of the options: `dispatch(message, 2s)`. Threads: any.
class Dispatching {
 public:
  Dispatching(const busbar_host& host, busbar_call* parent) noexcept : host_(&host), parent_(parent) {}

  /// Dispatches and waits. The message that comes back carries the response, whatever went wrong (C-M9).
  /// Errors: std::bad_alloc only.
  Message dispatch(const Message& message, const CallOptions& given = {}) const {
    busbar_response response{};
    const busbar_message view = message.c_view(response);
    const busbar_dispatch_options options = detail::options_of(given);
    busbar_result* result = host_->dispatch(host_->context, parent_, &view, &options);
    if (result == nullptr) throw std::bad_alloc();
    return detail::take_result(*host_, result);
  }

  template <class Rep, class Period>
  Message dispatch(const Message& message, std::chrono::duration<Rep, Period> timeout) const {
    return dispatch(message, detail::only_timeout(timeout));
  }

  /// Dispatches without waiting. Errors: std::bad_alloc; then `callback` is not called.
  void dispatch_async(const Message& message, Callback callback, const CallOptions& given = {}) const {
    busbar_response response{};
    const busbar_message view = message.c_view(response);
    const busbar_dispatch_options options = detail::options_of(given);
    auto pending = std::make_unique<detail::PendingCallback>(detail::PendingCallback{*host_, std::move(callback)});
    const busbar_status status =
        host_->dispatch_async(host_->context, parent_, &view, &options, &detail::PendingCallback::done, pending.get());
    if (status != BUSBAR_DONE) throw std::bad_alloc();
    pending.release();  // `done` owns it now
  }
  template <class Rep, class Period>
  void dispatch_async(const Message& message, Callback callback, std::chrono::duration<Rep, Period> timeout) const {
    dispatch_async(message, std::move(callback), detail::only_timeout(timeout));
  }

  Logger log() const noexcept { return Logger(*host_, parent_); }
  /// This node's name.
  std::string_view node() const noexcept { return {host_->node.data, host_->node.size}; }
  const busbar_host& c_host() const noexcept { return *host_; }

 protected:
  const busbar_host* host_;
  busbar_call* parent_;
};

}  // namespace busbar
