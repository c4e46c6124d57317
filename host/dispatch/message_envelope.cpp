#include "dispatch/message_envelope.hpp"

#include "dispatch/call.hpp"

namespace busbar::host {

namespace {

using wire::Bytes;
using wire::Envelope;
using wire::EnvelopeType;

std::string_view view(busbar_text text) noexcept { return {text.data, text.size}; }
Bytes view(busbar_bytes bytes) noexcept { return {bytes.data, bytes.size}; }
busbar_text c_text(std::string_view text) noexcept { return {text.data(), text.size()}; }
busbar_bytes c_bytes(Bytes bytes) noexcept { return {bytes.data(), bytes.size()}; }

Bytes written(const Envelope& envelope) {
  // One large message must not cost a thread its memory for ever.
  constexpr std::size_t kKept = 256 * 1024;
  static thread_local cbor::ByteSink sink;
  if (sink.size() > kKept) {
    sink.take_block();
  } else {
    sink.clear();
  }
  wire::write_envelope(sink, envelope);
  return sink.bytes();
}

Envelope make(EnvelopeType type, std::uint64_t attempt) noexcept {
  Envelope envelope;
  envelope.type = type;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  return envelope;
}

Envelope request_of(const Call& call, std::uint64_t attempt, Nanos remaining) noexcept {
  const Message& message = call.message();
  busbar_response unused;
  const busbar_message from = message.c_view(unused);
  const bool own_correlation = message.correlation_id() != message.id();
  Envelope envelope = make(EnvelopeType::request, attempt);
  envelope.service = view(from.service_name);
  envelope.message_id = view(from.id);
  if (own_correlation) envelope.correlation_id = view(from.correlation_id);
  if (message.causation_id() != message.correlation_id()) envelope.causation_id = view(from.causation_id);
  envelope.origin_node = view(from.origin_node);
  envelope.invoked_at_us = from.invoked_at_us;
  envelope.dry_run = from.dry_run;
  envelope.authorize_only = call.purpose() == Purpose::authorize_only;
  envelope.halted_invalid = from.valid == 0;
  envelope.remaining_us = static_cast<std::uint64_t>(remaining / kMicrosecond);
  envelope.traceparent = view(from.traceparent);
  envelope.raw_request = view(from.raw_request);
  envelope.request = view(from.request);
  envelope.logger_metadata = view(from.logger_metadata);
  envelope.aggregate_meta = view(from.aggregate_meta);
  envelope.is_forwarded = call.is_forwarded();
  envelope.keeps_places = call.callers() != nullptr;
  envelope.assigns = view(from.assigns);
  envelope.events = view(from.events);
  return envelope;
}

void put_response(Envelope& envelope, const Response& response) noexcept {
  const busbar_response from = response.c_view();
  envelope.kind = static_cast<std::uint8_t>(from.kind);
  envelope.name = view(from.name);
  envelope.text = view(from.text);
  envelope.detail = view(from.detail);
  envelope.timeout_ms = from.timeout_ms;
  envelope.has_version = (from.flags & BUSBAR_RESPONSE_HAS_VERSION) != 0;
  envelope.version = from.version;
  envelope.value = view(from.value);
}

}  // namespace

Bytes write_request(const Call& call, std::uint64_t attempt, Nanos remaining) {
  if (call.purpose() != Purpose::query) return written(request_of(call, attempt, remaining));
  Envelope envelope = make(EnvelopeType::query, attempt);
  envelope.body = call.message().raw_request().bytes();
  return written(envelope);
}

Bytes write_forwarded_request(const Call& call, Nanos remaining) {
  Envelope envelope = request_of(call, 0, remaining);
  envelope.is_forwarded = true;
  envelope.answer_to = call.requester()->name();
  envelope.answer_to_incarnation = call.requester()->incarnation();
  envelope.answer_attempt = call.requester_attempt();
  return written(envelope);
}

Bytes write_answer(const Call& call) {
  Envelope envelope = make(EnvelopeType::answer, call.requester_attempt());
  put_response(envelope, call.response());
  if (const Payload* assigns = call.changed_assigns()) {
    envelope.has_assigns = true;
    envelope.assigns = assigns->bytes();
  }
  envelope.events = call.events().bytes();
  envelope.unstarted = call.certainly_unstarted();
  return written(envelope);
}

Bytes write_client_answer(std::uint64_t attempt, const Message& outcome, std::string_view node,
                          std::string_view warning) {
  Envelope envelope = make(EnvelopeType::answer, attempt);
  put_response(envelope, outcome.response());
  const Payload events = outcome.events();
  envelope.has_assigns = true;
  envelope.assigns = outcome.assigns().bytes();
  envelope.events = events.bytes();
  envelope.node = node;
  envelope.warning = warning;
  return written(envelope);
}

Bytes write_bare_answer(std::uint64_t attempt, const Response& response, bool unstarted) {
  Envelope envelope = make(EnvelopeType::answer, attempt);
  put_response(envelope, response);
  envelope.unstarted = unstarted;
  return written(envelope);
}

Bytes write_unsendable_answer(const Envelope& request, const Response& response, bool unstarted) {
  Envelope envelope = make(EnvelopeType::answer, 0);
  put_response(envelope, response);
  envelope.unstarted = unstarted;
  envelope.answer_to = request.answer_to;
  envelope.answer_to_incarnation = request.answer_to_incarnation;
  envelope.answer_attempt = request.answer_attempt;
  return written(envelope);
}

Bytes write_passed_on(const Envelope& unsendable) {
  Envelope envelope = unsendable;
  envelope.attempt = unsendable.answer_attempt;
  envelope.answer_to = {};
  envelope.answer_to_incarnation = envelope.answer_attempt = 0;
  return written(envelope);
}

Bytes write_forwarded(std::uint64_t attempt, std::string_view node, std::uint64_t incarnation) {
  Envelope envelope = make(EnvelopeType::forwarded, attempt);
  envelope.node = node;
  envelope.incarnation = incarnation;
  return written(envelope);
}

Bytes write_cancel(std::uint64_t attempt) { return written(make(EnvelopeType::cancel, attempt)); }

Bytes write_document(std::uint64_t attempt, Bytes body) {
  Envelope envelope = make(EnvelopeType::document, attempt);
  envelope.body = body;
  return written(envelope);
}

Bytes write_refused(std::uint64_t attempt, std::string_view name, std::string_view text) {
  Envelope envelope = make(EnvelopeType::refused, attempt);
  envelope.name = name;
  envelope.text = text;
  return written(envelope);
}

busbar_message message_view(const Envelope& request) noexcept {
  busbar_message out{};
  out.struct_size = sizeof out;
  out.dry_run = request.dry_run;
  out.valid = request.halted_invalid ? 0 : 1;
  out.service_name = c_text(request.service);
  out.id = c_text(request.message_id);
  out.correlation_id = c_text(request.correlation_id);
  out.causation_id = c_text(request.causation_id);
  out.origin_node = c_text(request.origin_node);
  out.invoked_at_us = request.invoked_at_us;
  out.raw_request = c_bytes(request.raw_request);
  out.request = c_bytes(request.request);
  out.assigns = c_bytes(request.assigns);
  out.events = c_bytes(request.events);
  out.logger_metadata = c_bytes(request.logger_metadata);
  out.aggregate_meta = c_bytes(request.aggregate_meta);
  if (TraceParent::parse(request.traceparent)) out.traceparent = c_text(request.traceparent);
  return out;
}

busbar_response response_view(const Envelope& answer) noexcept {
  busbar_response out{};
  out.struct_size = sizeof out;
  out.kind = answer.kind;
  out.flags =
      (answer.value.empty() ? 0U : BUSBAR_RESPONSE_HAS_VALUE) | (answer.has_version ? BUSBAR_RESPONSE_HAS_VERSION : 0U);
  out.timeout_ms = answer.timeout_ms;
  out.version = answer.version;
  out.name = c_text(answer.name);
  out.text = c_text(answer.text);
  out.detail = c_text(answer.detail);
  out.value = c_bytes(answer.value);
  return out;
}

}  // namespace busbar::host
