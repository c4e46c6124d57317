#include "call_answer.hpp"

#include <busbar/message.hpp>
#include <busbar/strategy.hpp>

#include <chrono>
#include <utility>

#include "command_line.hpp"

namespace busbar::cli {

namespace {

using Kind = Response::Kind;
namespace verb = wire::admin_verb;

std::uint8_t dry_run_of(const wire::AdminRequest& request) {
  DryRun asked = request.dry_run == "yes" ? DryRun::yes : DryRun::no;
  if (request.dry_run == "verbose") asked = DryRun::verbose;
  return static_cast<std::uint8_t>(request.verb == verb::kValidate ? for_validation(asked) : asked);
}

wire::Bytes bytes_of(const std::optional<wire::Item>& item) { return item ? wire::Bytes(*item) : wire::Bytes(); }
std::optional<wire::Item> item_of(wire::Bytes bytes) { return wire::item_of(Payload::borrow(bytes)); }

Response response_of(const wire::Envelope& answer) {
  const auto text = [](std::string_view from) { return busbar_text{from.data(), from.size()}; };
  busbar_response view{};
  view.struct_size = sizeof view;
  view.kind = answer.kind;
  view.flags = answer.has_version ? BUSBAR_RESPONSE_HAS_VERSION : 0U;
  view.timeout_ms = answer.timeout_ms;
  view.version = answer.version;
  view.name = text(answer.name);
  view.text = text(answer.text);
  view.detail = text(answer.detail);
  Response out;
  out.assign(view, Payload::own(wire::Item(answer.value.begin(), answer.value.end())));
  return out;
}

/// Whether the router has said anything at all (C-D11).
bool is_verdict(const Response& response) {
  return response.kind() != Kind::none && response.kind() != Kind::service_unavailable &&
         !response.is_error(code::kBadRpc) && !response.is_error(code::kNoNodesAvailable) &&
         !response.is_error(code::kOverloaded) && !response.is_error(code::kMalformed);
}

wire::AdminAnswer answer_with(const wire::AdminRequest& request, Response response, wire::AdminReply reply) {
  wire::AdminAnswer out;
  out.seq = request.seq;
  if (request.verb == verb::kAuthorized) {
    if (response.kind() == Kind::service_timeout) {
      response = Response::bad_rpc(
          badrpc::kTimeout, "the provider's router did not answer in " + std::to_string(response.timeout_ms()) + " ms");
    }
    if (is_verdict(response)) out.authorized = response.kind() == Kind::ok;
    if (out.authorized.value_or(false)) return out;
  }
  reply.response = wire::to_wire(response);
  reply.message_id = request.id.value_or("");
  reply.correlation_id = request.correlation_id.value_or(reply.message_id);
  out.reply = std::move(reply);
  return out;
}

}  // namespace

wire::Envelope call_envelope(const wire::AdminRequest& request, std::uint64_t attempt) {
  const auto text = [](const std::optional<std::string>& from) {
    return from ? std::string_view(*from) : std::string_view();
  };
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  wire::Envelope out;
  out.type = wire::EnvelopeType::request;
  out.major = wire::kCallProtocolMajor;
  out.attempt = attempt;
  out.service = text(request.service);
  out.message_id = text(request.id);
  out.correlation_id = text(request.correlation_id);
  out.invoked_at_us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  out.dry_run = dry_run_of(request);
  out.authorize_only = request.verb == verb::kAuthorized;
  out.remaining_us = request.timeout_ms.value_or(0) * std::uint64_t{1000};
  out.only_node = text(request.node);
  out.strategy = static_cast<std::uint8_t>(strategy_of(text(request.strategy)));
  out.sticky_key = text(request.sticky_key);
  out.traceparent = text(request.traceparent);
  out.raw_request = bytes_of(request.request);
  out.assigns = bytes_of(request.assigns);
  return out;
}

wire::AdminAnswer call_answer(const wire::AdminRequest& request, const wire::Envelope& answer, const std::string& node,
                              std::uint64_t duration_us) {
  wire::AdminReply reply;
  reply.node = answer.node.empty() ? node : std::string(answer.node);
  reply.duration_us = duration_us;
  reply.assigns = item_of(answer.assigns);
  reply.events = item_of(answer.events);
  if (!answer.warning.empty()) reply.warning = answer.warning;
  return answer_with(request, response_of(answer), std::move(reply));
}

wire::AdminAnswer late_answer(const wire::AdminRequest& request, const std::string& node, std::uint64_t duration_us) {
  wire::AdminReply reply;
  reply.node = node;
  reply.duration_us = duration_us;
  return answer_with(request,
                     Response::service_timeout(request.service.value_or(""), request.id.value_or(""),
                                               request.timeout_ms.value_or(kMaxTimeoutMs)),
                     std::move(reply));
}

}  // namespace busbar::cli
