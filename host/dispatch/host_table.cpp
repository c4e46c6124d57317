#include "dispatch/host_table.hpp"

#include <busbar/names.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/instance.hpp"
#include "dispatch/plugin_step.hpp"

// The outcome of a nested dispatch: the message, and its view in C.
struct busbar_result {
  explicit busbar_result(busbar::Message&& outcome) : message(std::move(outcome)), view(message.c_view(response)) {}
  busbar::Message message;
  busbar_response response{};
  busbar_message view;
};

namespace busbar::host {

namespace {

// What a message that cannot be dispatched comes back as.
Message malformed(std::string_view service, std::string_view id, std::string_view why) {
  Message message(service);
  if (is_message_id(id)) message.with_id(id);
  message.respond(Response::error(code::kMalformed, why));
  return message;
}

// A message of a plugin's own, checked and completed (C-M2). Owns everything: its handler may outlive the caller's
// wait.
Message take_checked(const busbar_message& view, const Instance& instance, const Call* parent) {
  const Message borrowed = Message::borrow(view);
  Message message(borrowed);
  if (message.id().empty()) message.with_id(new_message_id().view());
  const bool ids_fit =
      is_message_id(message.id()) && is_message_id(message.correlation_id()) && is_message_id(message.causation_id());
  if (!ids_fit) {
    message.respond(Response::error(code::kMalformed, "an id of the message is not 1 to 128 of [A-Za-z0-9_-]"));
  }
  if (message.traceparent().empty() && parent != nullptr) message.with_traceparent(parent->handed_on_traceparent());
  if (message.logger_metadata().empty() && parent != nullptr) message.with_logger_metadata(parent->logger_metadata());
  message.with_origin_node(instance.dispatcher().node()).with_caller(CallerKind::unknown);  // who serves it is told
  return message;
}

Message take_message(const busbar_message& view, const Instance& instance, const Call* parent) {
  if (view.struct_size < offsetof(busbar_message, caller)) {
    return malformed({}, {}, "the message's struct is smaller than that of the first version");
  }
  const std::string_view service(view.service_name.data, view.service_name.size), id(view.id.data, view.id.size);
  if (view.dry_run > BUSBAR_DRY_RUN_VERBOSE) return malformed(service, id, "the message's dry_run is none");
  if (view.response != nullptr && view.response->struct_size < sizeof(busbar_response)) {
    return malformed(service, id, "the response's struct is smaller than that of the first version");
  }
  try {
    return take_checked(view, instance, parent);
  } catch (const MalformedPayload& error) {
    return malformed(service, id, error.what());
  }
}

// Those of an older plugin end earlier.
DispatchOptions options_of(const busbar_dispatch_options* options) noexcept {
  busbar_dispatch_options all{};
  if (options != nullptr) std::memcpy(&all, options, std::min<std::size_t>(options->struct_size, sizeof all));
  return {all.timeout_ms, {}, CallerIs::here, {strategy_of(all.strategy), {all.sticky_key.data, all.sticky_key.size}}};
}

const Call* parent_of(busbar_call* parent) noexcept { return parent != nullptr ? Call::of(parent) : Call::current(); }

busbar_buffer* reply_buffer(busbar_call* call) { return Call::of(call)->reply_buffer(); }

busbar_status reply(busbar_call* call, const busbar_reply* reply) {
  return reply == nullptr ? BUSBAR_INVALID : Call::of(call)->reply(*reply);
}

void call_retain(busbar_call* call) {
  Call::of(call)->keep_ids();
  Call::of(call)->retain_answerer();
}

void call_release(busbar_call* call) { Call::of(call)->release_answerer(); }

// Rounded up: where nothing is left, an answer is too late.
std::int64_t time_left_us(const busbar_call* call) {
  return (std::max<Nanos>(Call::of(call)->deadline() - now_ns(), 0) + kMicrosecond - 1) / kMicrosecond;
}

std::uint32_t caller_gone(const busbar_call* call) { return Call::of(call)->caller_gone() ? 1 : 0; }

busbar_result* dispatch(void* context, busbar_call* parent, const busbar_message* view,
                        const busbar_dispatch_options* options) {
  try {
    Instance& instance = Instance::of(context);
    const Call* cause = parent_of(parent);
    Message message = take_message(*view, instance, cause);
    instance.dispatcher().dispatch_from(cause, message, options_of(options));
    return new busbar_result(std::move(message));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

busbar_status dispatch_async(void* context, busbar_call* parent, const busbar_message* view,
                             const busbar_dispatch_options* options, void (*done)(void*, busbar_result*), void* user) {
  Instance& instance = Instance::of(context);
  if (done == nullptr) return BUSBAR_INVALID;
  try {
    const Call* cause = parent_of(parent);
    Message message = take_message(*view, instance, cause);
    // The plugin's code runs again when the call ends: it must not be unloaded before.
    const auto callback = [&instance, done, user](Message&& outcome) {
      {
        const Text id(outcome.id()), correlation_id(outcome.correlation_id()),
            trace(outcome.traceparent());  // the plugin may let go of the message
        const PluginStep step(instance, "callback", {id.view(), correlation_id.view(), trace.view()});
        done(user, new busbar_result(std::move(outcome)));
      }
      instance.callback_ended();
    };
    instance.expect_callback();
    try {
      instance.dispatcher().dispatch_async_from(cause, std::move(message), callback, options_of(options));
    } catch (...) {
      instance.callback_ended();
      throw;
    }
    return BUSBAR_DONE;
  } catch (const std::bad_alloc&) {
    return BUSBAR_NO_MEMORY;
  }
}

const busbar_message* result_message(const busbar_result* result) { return &result->view; }
void result_release(busbar_result* result) { delete result; }

LogLevel level_of(std::uint32_t level) noexcept {
  switch (level) {
    case BUSBAR_LOG_TRACE:
      return LogLevel::trace;
    case BUSBAR_LOG_DEBUG:
      return LogLevel::debug;
    case BUSBAR_LOG_INFO:
      return LogLevel::info;
    case BUSBAR_LOG_WARN:
      return LogLevel::warn;
    default:
      return LogLevel::error;
  }
}

// What runs of the plugin on this thread says which call a line is about, where the plugin does not.
void log(void* context, const busbar_call* call, std::uint32_t level, busbar_text text) {
  const Instance& instance = Instance::of(context);
  const LogLevel at = level_of(level);
  if (!instance.log().enabled(at)) return;
  const std::string_view line(text.data, text.size);
  const PluginStep* const step = call == nullptr ? PluginStep::current() : nullptr;
  if (step != nullptr) {
    const bool is_ours = &step->instance() == &instance;
    return instance.log().write(at, line, {}, is_ours ? step->ids() : CallIds{});
  }
  const Call* const about = call != nullptr ? Call::of(call) : Call::current();
  const bool is_known = about != nullptr && (call != nullptr || &about->endpoint()->instance() == &instance);
  if (!is_known) return instance.log().write(at, line);
  instance.log().write(at, line, {{"service", about->endpoint()->service()}}, ids_of(*about));
}

const void* extension(void*, busbar_text) { return nullptr; }

}  // namespace

busbar_host make_host_table(Instance& instance) noexcept {
  busbar_host table{};
  table.struct_size = sizeof table;
  table.abi_major = BUSBAR_ABI_MAJOR;
  table.abi_minor = BUSBAR_ABI_MINOR;
  table.context = &instance;
  const std::string& node = instance.dispatcher().node();
  table.node = {node.data(), node.size()};
  table.reply_buffer = &reply_buffer;
  table.reply = &reply;
  table.call_retain = &call_retain;
  table.call_release = &call_release;
  table.time_left_us = &time_left_us;
  table.caller_gone = &caller_gone;
  table.dispatch = &dispatch;
  table.dispatch_async = &dispatch_async;
  table.result_message = &result_message;
  table.result_release = &result_release;
  table.log = &log;
  table.extension = &extension;
  return table;
}

}  // namespace busbar::host
