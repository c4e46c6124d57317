#include <busbar/payload.hpp>
#include <busbar/wire/admin.hpp>
#include <busbar/wire/envelope.hpp>
#include <deque>
#include <string>

#include "golden/wire.hpp"
#include "wire/message.hpp"

namespace busbar::golden {

namespace {

using wire::Envelope;
using wire::EnvelopeType;

/// Keeps the bytes that envelopes point to.
class Payloads {
 public:
  wire::Bytes of(const json& value) { return kept_.emplace_back(cbor::from_json(value)); }

 private:
  std::deque<Octets> kept_;
};

Example example(const std::string& what, const Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return {"call", what, sink.take()};
}

Envelope of_type(EnvelopeType type, std::uint64_t attempt = 0) {
  Envelope envelope;
  envelope.type = type;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  return envelope;
}

Envelope greeting(EnvelopeType type, wire::Role role) {
  Envelope hello = of_type(type);
  hello.minor = wire::kCallProtocolMinor;
  hello.cluster = "busbar";
  hello.node = "warehouse-1";
  hello.role = role;
  hello.max_message = 67'108'864;
  if (role == wire::Role::node) hello.incarnation = 1'700'000'000'000'000;
  return hello;
}

Envelope request(Payloads& payloads) {
  Envelope call = of_type(EnvelopeType::request, 7);
  call.service = "greet";
  call.message_id = "DOXk6onakVxRv1OGJys7QA";
  call.origin_node = "warehouse-2";
  call.invoked_at_us = 1'767'323'045'678'000;
  call.remaining_us = 5'000'000;
  call.raw_request = payloads.of({{"name", "Ada"}});
  call.assigns = payloads.of({{"user", "ada"}});
  call.has_assigns = true;
  return call;
}

/// One of the system's errors, or another outcome without a value.
Envelope outcome(busbar_response_kind kind, std::string_view name, std::string_view text, std::string_view detail) {
  Envelope answer = of_type(EnvelopeType::answer, 7);
  answer.kind = static_cast<std::uint8_t>(kind);
  answer.name = name;
  answer.text = text;
  answer.detail = detail;
  return answer;
}

/// Something in every field, each different from its neighbours; also in those that come later.
struct Everything {
  Payloads& payloads;

  void operator()(unsigned, const char*, EnvelopeType& field) { field = EnvelopeType::request; }
  void operator()(unsigned, const char*, wire::Role& field) { field = wire::Role::node; }
  void operator()(unsigned, const char* name, std::string_view& field) { field = name; }
  void operator()(unsigned, const char* name, wire::Bytes& field) { field = payloads.of(name); }
  void operator()(unsigned, const char*, bool& field) { field = true; }
  template <class Integer>
  void operator()(unsigned key, const char* name, Integer& field) {
    const std::string_view which = name;
    field = static_cast<Integer>(which == "major" ? wire::kCallProtocolMajor : which == "dry_run" ? 2 : key);
  }
  template <class T>
  void operator()(unsigned key, const char* name, T& field, bool& present) {
    (*this)(key, name, field);
    present = true;
  }
};

}  // namespace

std::vector<Example> call_examples() {
  Payloads payloads;
  std::vector<Example> out = {example("hello of a client", greeting(EnvelopeType::hello, wire::Role::client)),
                              example("hello of a node", greeting(EnvelopeType::hello, wire::Role::node)),
                              example("welcome", greeting(EnvelopeType::welcome, wire::Role::node)),
                              example("request", request(payloads))};
  Envelope refused = of_type(EnvelopeType::refused);
  refused.name = "cluster";
  refused.text = "this node belongs to another cluster";
  out.push_back(example("refused", refused));
  Envelope ok = of_type(EnvelopeType::answer, 7);
  ok.kind = BUSBAR_RESPONSE_OK;
  ok.value = payloads.of({{"text", "Hello, Ada!"}});
  ok.has_version = true;
  ok.version = 3;
  out.push_back(example("answer: ok with value and version", ok));
  out.push_back(example("answer: created", outcome(BUSBAR_RESPONSE_CREATED, "a-1", "", "")));
  out.push_back(example("answer: service_unavailable", outcome(BUSBAR_RESPONSE_SERVICE_UNAVAILABLE, "greet", "", "")));
  Envelope late = outcome(BUSBAR_RESPONSE_SERVICE_TIMEOUT, "greet", "DOXk6onakVxRv1OGJys7QA", "");
  late.timeout_ms = 5'000;
  out.push_back(example("answer: service_timeout", late));
  Envelope unfit = outcome(BUSBAR_RESPONSE_VALIDATION_ERROR, "", "", "");
  unfit.value = payloads.of(json::array({{{"path", "name"}, {"expected", "text"}, {"found", "integer 7"}}}));
  out.push_back(example("answer: validation_error", unfit));
  out.push_back(example("answer: missing_id", outcome(BUSBAR_RESPONSE_MISSING_ID, "account", "", "")));
  out.push_back(example("answer: badrpc(exit)", outcome(BUSBAR_RESPONSE_ERROR, "badrpc", "it threw", "exit")));
  Envelope elsewhere = outcome(BUSBAR_RESPONSE_ERROR, "try_another_node", "", "stopping");
  elsewhere.unstarted = true;
  out.push_back(example("answer: try_another_node, nothing was started", elsewhere));
  Envelope forwarded = of_type(EnvelopeType::forwarded, 7);
  forwarded.node = "warehouse-3";
  forwarded.incarnation = 1'700'000'000'000'001;
  out.push_back(example("forwarded", forwarded));
  out.push_back(example("cancel", of_type(EnvelopeType::cancel, 7)));
  Envelope query = of_type(EnvelopeType::query, 8);
  query.body = payloads.of({{"protocol", wire::kAdminProtocol}, {"seq", 8}, {"verb", "services"}});
  out.push_back(example("query", query));
  Envelope document = of_type(EnvelopeType::document, 8);
  document.body = payloads.of({{"protocol", wire::kAdminProtocol}, {"seq", 8}});
  out.push_back(example("document", document));
  out.push_back(example("closing", of_type(EnvelopeType::closing)));
  Envelope all;
  Everything fill{payloads};
  wire::detail::visit_fields(all, fill);
  out.push_back(example("every field", all));
  return out;
}

std::vector<Example> registry_examples() {
  using namespace registry::wire;
  const registry::NodeRecord record = {.name = "warehouse-1",
                                       .incarnation = 1'700'000'000'000'000,
                                       .version = 4,
                                       .call_address = "tcp://10.0.0.7:7100",
                                       .registry_address = "tcp://10.0.0.7:7101",
                                       .services = {{.name = "greet", .router = "greeter"},
                                                    {.name = "town",
                                                     .router = "towns",
                                                     .is_inline = true,
                                                     .idempotent = true,
                                                     .dry_run_safe = true,
                                                     .timeout_ms = 250,
                                                     .strategy = Strategy::sticky,
                                                     .sticky_field = "town"}}};
  const std::vector<PeerAddress> peers = {{"warehouse-2", 1'700'000'000'000'001, "tcp://10.0.0.8:7101"}};
  const std::vector<Message> messages = {
      Hello{.cluster = "busbar", .record = record, .established = true},
      Welcome{.record = record, .peers = peers, .established = true},
      Refused{.code = kRefusedNameHeld, .text = "the name is held", .incarnation = 5, .held_at = "tcp://10.0.0.9:7101"},
      Announce{record},
      Heartbeat{"warehouse-1", 1'700'000'000'000'000, 4, 123'456},
      HeartbeatAck{.sent_us = 123'456, .want_record = true, .version = 4, .own_version = 9},
      Peers{peers},
      Ping{77},
      Pong{77, "warehouse-1", 1'700'000'000'000'000},
      Goodbye{"warehouse-1", 1'700'000'000'000'000}};
  static_assert(std::variant_size_v<Message> == 12, "there is a new message: give it an example here");
  std::vector<Example> out;
  for (const Message& message : messages) out.push_back({"registry", type_of(message), encode(message)});
  return out;
}

std::vector<Example> admin_examples() {
  const auto item = [](const json& value) { return cbor::from_json(value); };
  wire::AdminRequest call;
  call.seq = 3;
  call.verb = wire::admin_verb::kCall;
  call.service = "greet";
  call.node = "warehouse-1";
  call.request = item({{"name", "Ada"}});
  call.assigns = item({{"user", "ada"}});
  call.dry_run = "verbose";
  call.timeout_ms = 250;
  call.id = "DOXk6onakVxRv1OGJys7QA";
  call.correlation_id = "c-1";
  call.strategy = "sticky";
  call.sticky_key = "ada";
  call.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  call.after = item(17);
  call.plugin = "greeter";
  wire::AdminRequest bare;
  bare.seq = 4;
  bare.verb = wire::admin_verb::kStatus;

  wire::AdminAnswer reply;
  reply.seq = 3;
  reply.reply = wire::AdminReply{
      .response =
          {.kind = "ok", .name = {}, .text = {}, .detail = {}, .timeout_ms = {}, .version = 3, .value = item("v")},
      .node = "warehouse-1",
      .duration_us = 140,
      .message_id = "DOXk6onakVxRv1OGJys7QA",
      .correlation_id = "c-1",
      .assigns = item({{"user", "ada"}}),
      .events = item(json::array({"opened"})),
      .warning = "a warning"};
  wire::AdminAnswer error;
  error.seq = 4;
  error.error = wire::AdminError{std::string(wire::admin_code::kNotDone), "it could not be done"};
  wire::AdminAnswer document;
  document.seq = 5;
  document.document = item({{"ready", true}});
  wire::AdminAnswer verdict;
  verdict.seq = 6;
  verdict.authorized = false;
  return {{"admin_request", "call, every field", wire::frame_of(call)},
          {"admin_request", "status", wire::frame_of(bare)},
          {"admin_answer", "reply", wire::frame_of(reply)},
          {"admin_answer", "error", wire::frame_of(error)},
          {"admin_answer", "document", wire::frame_of(document)},
          {"admin_answer", "authorized", wire::frame_of(verdict)}};
}

}  // namespace busbar::golden
