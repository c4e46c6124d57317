// The functions of the C boundary, as a test's host offers them.
#pragma once

#include <busbar/testing/detail/dispatch.hpp>

namespace busbar::kit::detail {

struct HostTable {
  /// Ownership: the table belongs to the state, and points to it.
  static void fill(const std::shared_ptr<State>& state) {
    busbar_host& table = state->table;
    table.struct_size = sizeof table;
    table.abi_major = BUSBAR_ABI_MAJOR;
    table.abi_minor = BUSBAR_ABI_MINOR;
    table.context = state.get();
    table.node = {state->node.data(), state->node.size()};
    table.reply_buffer = [](busbar_call* call) { return Call::of(call)->reply_buffer(); };
    table.reply = [](busbar_call* call, const busbar_reply* reply) { return Call::of(call)->reply(*reply); };
    table.call_retain = [](busbar_call* call) { Call::of(call)->retain(); };
    table.call_release = [](busbar_call* call) { Call::of(call)->release(); };
    table.time_left_us = [](const busbar_call* call) { return Call::of(call)->time_left_us(); };
    table.caller_gone = [](const busbar_call* call) -> std::uint32_t { return Call::of(call)->caller_gone() ? 1 : 0; };
    table.dispatch = &dispatch;
    table.dispatch_async = &dispatch_async;
    table.result_message = [](const busbar_result* result) -> const busbar_message* {
      return &reinterpret_cast<const Result*>(result)->view;
    };
    table.result_release = [](busbar_result* result) { delete reinterpret_cast<Result*>(result); };
    table.log = &log;
    table.extension = [](void*, busbar_text) -> const void* { return nullptr; };
  }

 private:
  static std::shared_ptr<State> of(void* context) { return static_cast<State*>(context)->shared_from_this(); }
  static busbar_result* wrap(Message outcome) {
    return reinterpret_cast<busbar_result*>(new Result(std::move(outcome)));
  }
  static Dispatch begin(void* context, busbar_call* parent, const busbar_message* message,
                        const busbar_dispatch_options* options) {
    return Dispatch(of(context), parent == nullptr ? nullptr : Call::of(parent), *message,
                    options == nullptr ? 0 : options->timeout_ms);
  }

  static busbar_result* dispatch(void* context, busbar_call* parent, const busbar_message* message,
                                 const busbar_dispatch_options* options) {
    return wrap(begin(context, parent, message, options).blocking());
  }
  static busbar_status dispatch_async(void* context, busbar_call* parent, const busbar_message* message,
                                      const busbar_dispatch_options* options, void (*done)(void*, busbar_result*),
                                      void* user) {
    begin(context, parent, message, options).async([done, user](Message outcome) {
      const bool outer = std::exchange(in_callback(), true);
      done(user, wrap(std::move(outcome)));
      in_callback() = outer;
    });
    return BUSBAR_DONE;
  }
  static void log(void* context, const busbar_call* call, std::uint32_t level, busbar_text text) {
    static constexpr const char* kLevels[] = {"trace", "debug", "info", "warn", "error"};
    static_cast<State*>(context)->record(
        LogLine{kLevels[std::min<std::uint32_t>(level, BUSBAR_LOG_ERROR)], std::string(text.data, text.size),
                call == nullptr ? std::string() : std::string(Call::of(call)->message().id())});
  }
};

}  // namespace busbar::kit::detail
