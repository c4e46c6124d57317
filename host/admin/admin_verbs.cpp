#include "admin/admin_verbs.hpp"

#include <busbar/names.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include "admin/ask_trail.hpp"
#include "admin/ask_views.hpp"
#include "admin/describe_elsewhere.hpp"
#include "admin/events_document.hpp"
#include "admin/log_levels.hpp"
#include "config/nearest.hpp"
#include "log/text.hpp"

namespace busbar::host {

using wire::AdminAnswer;
using wire::AdminReply;
using wire::AdminRequest;
namespace verb = wire::admin_verb;

namespace {

constexpr std::array kServiceVerbs = {verb::kCall, verb::kValidate, verb::kAuthorized, verb::kDiscover,
                                      verb::kDescribe};
constexpr std::array kOrders = {verb::kLoad, verb::kUnload, verb::kReload, verb::kRollback};
constexpr std::array kHostVerbs = {verb::kServices, verb::kNodes,  verb::kViews,        verb::kPlugins,
                                   verb::kStatus,   verb::kRescan, verb::kEvents,       verb::kCalls,
                                   verb::kStats,    verb::kConfig, verb::kReloadConfig, verb::kLogLevel};
constexpr std::uint32_t kTrailTimeoutMs = 1'000;
constexpr std::array<std::pair<std::string_view, DryRun>, 3> kDryRuns = {
    {{"no", DryRun::no}, {"yes", DryRun::yes}, {"verbose", DryRun::verbose}}};

template <class List, class Value>
bool is_one_of(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::optional<DryRun> dry_run_of(std::string_view text) {
  for (const auto& [name, value] : kDryRuns) {
    if (name == text) return value;
  }
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------------- requests

[[noreturn]] void refuse(const AdminRequest& request, const std::string& text) {
  throw BadRequest(code::kMalformed, request.seq, "could not read the request: " + text);
}

void check_payload(const AdminRequest& request, const char* field, const std::optional<wire::Item>& item) {
  if (!item) return;
  try {
    wire::check_item(*item);
  } catch (const MalformedPayload& malformed) {
    refuse(request, "field \"" + std::string(field) + "\": " + malformed.what());
  }
}

void check_assigns(const AdminRequest& request) {
  if (!request.assigns) return;
  try {
    cbor::find_field(*request.assigns, "");
  } catch (const MalformedPayload& malformed) {
    refuse(request, "field \"assigns\": " + std::string(malformed.what()));
  }
}

void check_id(const AdminRequest& request, const char* field, const std::optional<std::string>& id) {
  if (id && !is_message_id(*id)) {
    refuse(request,
           "field \"" + std::string(field) + "\": expected 1 to 128 of [A-Za-z0-9_-], found " + in_quotes(*id));
  }
}

void check_strategy(const AdminRequest& request) {
  const bool sticky = request.strategy == name_of(Strategy::sticky);
  if (request.strategy && (request.strategy->empty() || name_of(strategy_of(*request.strategy)).empty())) {
    refuse(request, "field \"strategy\": expected \"random\", \"least_pending\" or \"sticky\", found " +
                        in_quotes(*request.strategy));
  }
  if (sticky == (request.sticky_key && !request.sticky_key->empty())) return;
  refuse(request, sticky ? "field \"sticky_key\": expected a key with the strategy \"sticky\", found nothing"
                         : "field \"sticky_key\": expected with the strategy \"sticky\" alone");
}

void check_timeout(const AdminRequest& request) {
  if (request.timeout_ms && (*request.timeout_ms == 0 || *request.timeout_ms > kMaxTimeoutMs)) {
    refuse(request, "field \"timeout_ms\": expected 1 to " + std::to_string(kMaxTimeoutMs) + ", found " +
                        std::to_string(*request.timeout_ms));
  }
}

void check_traceparent(const AdminRequest& request) {
  if (!request.traceparent || TraceParent::parse(*request.traceparent)) return;
  refuse(request, "field \"traceparent\": expected 00-(32 hexadecimal digits)-(16)-(2), found " +
                      in_quotes(*request.traceparent));
}

void check_call(const AdminRequest& request) {
  if (!request.service) refuse(request, "field \"service\": expected text, found nothing");
  if (!is_service_name(*request.service)) {
    refuse(request,
           "field \"service\": expected " + std::string(kServiceNameRule) + ", found " + in_quotes(*request.service));
  }
  if (request.node && !is_node_name(*request.node)) {
    refuse(request, "field \"node\": expected " + std::string(kNodeNameRule) + ", found " + in_quotes(*request.node));
  }
  check_payload(request, "request", request.request);
  check_assigns(request);
  if (request.dry_run && !dry_run_of(*request.dry_run)) {
    refuse(request, "field \"dry_run\": expected \"no\", \"yes\" or \"verbose\", found " + in_quotes(*request.dry_run));
  }
  check_strategy(request);
  check_id(request, "id", request.id);
  check_id(request, "correlation_id", request.correlation_id);
  check_traceparent(request);
}

void check_trail(const AdminRequest& request) {
  if (!request.correlation_id) refuse(request, "field \"correlation_id\": expected text, found nothing");
  check_id(request, "correlation_id", request.correlation_id);
}

void check_after(const AdminRequest& request) {
  try {
    if (request.after) read_cursor(*request.after);
  } catch (const std::runtime_error& unfit) {
    refuse(request,
           "field \"after\": expected what an answer to \"events\" gave as \"next\": " + std::string(unfit.what()));
  }
}

void check_order(const AdminRequest& request) {
  if (!request.plugin || request.plugin->empty()) refuse(request, "field \"plugin\": expected text, found nothing");
  if (request.verb == verb::kLoad && !request.plugin->starts_with('/')) {
    refuse(request, "field \"plugin\": expected a file's absolute path, found " + in_quotes(*request.plugin));
  }
}

void check_log_level(const AdminRequest& request) {
  if (request.part && !request.level) refuse(request, "field \"level\": expected with a \"part\", found nothing");
  if (!request.level || *request.level == kDefaultLevel || log_level_of(*request.level)) return;
  std::vector<std::string> known(kLogLevelNames.begin(), kLogLevelNames.end());
  known.emplace_back(kDefaultLevel);
  refuse(request,
         "field \"level\": expected \"trace\", \"debug\", \"info\", \"warn\", \"error\" or \"default\", found " +
             in_quotes(*request.level) + "; nearest: " + in_quotes(nearest(*request.level, known)));
}

void check_protocol(std::span<const std::uint8_t> frame) {
  const auto client = cbor::decode<wire::AdminProtocol>(frame);
  if (client.protocol == wire::kAdminProtocol) return;
  throw BadRequest(wire::admin_code::kProtocol, client.seq,
                   "could not read the request: it is of version " + std::to_string(client.protocol) +
                       " of the admin protocol, this host speaks version " + std::to_string(wire::kAdminProtocol) +
                       " (hint: use the command line that was installed with the host)");
}

// -------------------------------------------------------------------------------------------------------- answers

std::vector<std::uint8_t> document_frame(std::uint64_t seq, const nlohmann::json& document) {
  AdminAnswer answer;
  answer.seq = seq;
  try {
    answer.document = cbor::from_json(document);
  } catch (const EncodeError&) {
    // A file's name need not be UTF-8. Whatever is not becomes U+FFFD, so that the rest can be shown.
    const std::string text = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    answer.document = cbor::from_json(nlohmann::json::parse(text));
  }
  return wire::frame_of(answer);
}

/// Makes the answer with `make` and hands it on; where that fails, an answer that says so. Does not throw, because it
/// runs in callbacks.
template <class Make>
void answer_with(const AdminVerbs::Answer& answer, std::uint64_t seq, Make&& make) {
  std::vector<std::uint8_t> frame;
  try {
    frame = make();
  } catch (const std::exception& failure) {
    frame = error_frame(seq, wire::admin_code::kInternal, "could not make the answer: " + std::string(failure.what()));
  }
  answer(std::move(frame));
}

/// The response, unless a plugin put something into it that is no payload: then what the contract says of that (C-D7).
Response checked(const Response& response) {
  try {
    if (!response.value().empty()) wire::check_item(response.value().bytes());
    return response;
  } catch (const MalformedPayload& malformed) {
    return Response::bad_rpc(badrpc::kBadReturn, "the answer's value is no payload: " + std::string(malformed.what()));
  }
}

/// Assigns or events; nothing where a plugin put something there that is no payload.
std::optional<wire::Item> readable(const Payload& payload) {
  try {
    if (!payload.empty()) wire::check_item(payload.bytes());
    return wire::item_of(payload);
  } catch (const MalformedPayload&) {
    return std::nullopt;
  }
}

std::string_view view_of(const std::optional<std::string>& text) { return text ? *text : std::string_view(); }

DispatchOptions options_of(const AdminRequest& request) {
  return {request.timeout_ms.value_or(0),
          view_of(request.node),
          CallerIs::here,
          {strategy_of(view_of(request.strategy)), view_of(request.sticky_key)}};
}

CallerIs caller_of(Audience audience) { return audience == Audience::here ? CallerIs::here : CallerIs::outside; }

std::uint64_t microseconds_since(Nanos start) { return static_cast<std::uint64_t>((now_ns() - start) / kMicrosecond); }

}  // namespace

wire::AdminRequest read_request(std::span<const std::uint8_t> frame) {
  try {
    check_protocol(frame);
    auto request = cbor::decode<AdminRequest>(frame);
    if (is_one_of(kServiceVerbs, request.verb)) {
      check_call(request);
    } else if (is_one_of(kOrders, request.verb)) {
      check_order(request);
    } else if (request.verb == verb::kTrail) {
      check_trail(request);
    } else if (!is_one_of(kHostVerbs, request.verb)) {
      refuse(request, "field \"verb\": this host does not know " + in_quotes(request.verb));
    }
    check_timeout(request);
    check_after(request);
    check_log_level(request);
    return request;
  } catch (const DecodeError& unfit) {
    throw BadRequest(code::kMalformed, 0, unfit.what());
  } catch (const MalformedPayload& malformed) {
    throw BadRequest(code::kMalformed, 0, malformed.what());
  }
}

std::vector<std::uint8_t> error_frame(std::uint64_t seq, std::string_view code, std::string_view text) {
  AdminAnswer answer;
  answer.seq = seq;
  answer.error = wire::AdminError{std::string(code), std::string()};
  append_printable(answer.error->text, text);
  return wire::frame_of(answer);
}

PendingCall AdminVerbs::serve(const AdminRequest& request, Answer answer, Audience audience) {
  const std::uint64_t seq = request.seq;
  if (request.verb == verb::kCall || request.verb == verb::kValidate) return call(request, std::move(answer));
  if (request.verb == verb::kAuthorized) {
    authorized(request, std::move(answer));
  } else if (request.verb == verb::kRescan) {
    rescan(seq, std::move(answer));
  } else if (is_one_of(kOrders, request.verb)) {
    order(request, std::move(answer));
  } else if (request.verb == verb::kDescribe) {
    describe(request, std::move(answer), audience);
  } else if (request.verb == verb::kViews) {
    views(request, std::move(answer), audience);
  } else if (request.verb == verb::kTrail) {
    trail(request, std::move(answer), audience);
  } else {
    answer_with(answer, seq, [&] {
      if (request.verb == verb::kDiscover) return document_frame(seq, discover(request, audience));
      if (request.verb == verb::kServices) return document_frame(seq, hooks_.services(caller_of(audience)));
      if (request.verb == verb::kNodes) return document_frame(seq, hooks_.nodes());
      if (request.verb == verb::kPlugins) return document_frame(seq, hooks_.plugins());
      if (request.verb == verb::kEvents) return document_frame(seq, events(request));
      if (request.verb == verb::kCalls) return document_frame(seq, hooks_.calls());
      if (request.verb == verb::kStats) return document_frame(seq, hooks_.stats());
      if (request.verb == verb::kConfig) return document_frame(seq, hooks_.config());
      if (request.verb == verb::kReloadConfig) return document_frame(seq, hooks_.reload_config());
      if (request.verb == verb::kLogLevel) return log_level(request);
      return document_frame(seq, hooks_.status());
    });
  }
  return {};
}

Message AdminVerbs::message_of(const AdminRequest& request) const {
  Message message(*request.service, wire::payload_of(request.request));
  if (request.id) message.with_id(*request.id);
  if (request.correlation_id) message.with_correlation(*request.correlation_id);
  if (request.traceparent) message.with_traceparent(*request.traceparent);
  if (request.assigns) message.with_assigns(wire::payload_of(request.assigns));
  message.with_origin_node(dispatcher_.node());
  message.with_dry_run(dry_run_of(request.dry_run.value_or("no")).value_or(DryRun::no));
  if (request.verb == verb::kValidate) message.with_dry_run(for_validation(message.dry_run()));
  return message;
}

PendingCall AdminVerbs::call(const AdminRequest& request, Answer answer) {
  Message message = message_of(request);
  const auto callback = [answer = std::move(answer), seq = request.seq, &dispatcher = dispatcher_,
                         start = now_ns()](Message&& outcome) {
    answer_with(answer, seq, [&] {
      AdminAnswer out;
      out.seq = seq;
      AdminReply& reply = out.reply.emplace();
      reply.response = wire::to_wire(checked(outcome.response()));
      reply.node = dispatcher.answering_node();
      reply.duration_us = microseconds_since(start);
      reply.message_id = outcome.id();
      reply.correlation_id = outcome.correlation_id();
      reply.assigns = readable(outcome.assigns());
      reply.events = readable(outcome.events());
      if (std::string warning = dispatcher.dry_run_warning(outcome); !warning.empty()) {
        reply.warning = std::move(warning);
      }
      return wire::frame_of(out);
    });
  };
  return dispatcher_.dispatch_cancellable(std::move(message), callback, options_of(request));
}

void AdminVerbs::authorized(const AdminRequest& request, Answer answer) {
  Message message = message_of(request);
  const auto callback = [answer = std::move(answer), seq = request.seq, &dispatcher = dispatcher_, start = now_ns(),
                         id = std::string(message.id()),
                         correlation = std::string(message.correlation_id())](const AuthorizationAnswer& verdict) {
    using Kind = AuthorizationAnswer::Kind;
    answer_with(answer, seq, [&] {
      AdminAnswer out;
      out.seq = seq;
      if (verdict.kind == Kind::yes || verdict.kind == Kind::no) out.authorized = verdict.kind == Kind::yes;
      if (verdict.kind != Kind::yes) {
        out.reply = AdminReply{wire::to_wire(checked(verdict.response)),
                               std::string(dispatcher.answering_node()),
                               microseconds_since(start),
                               id,
                               correlation,
                               {},
                               {},
                               {}};
      }
      return wire::frame_of(out);
    });
  };
  dispatcher_.authorized_async(std::move(message), callback, options_of(request));
}

// -- what this node knows

std::optional<nlohmann::json> AdminVerbs::describe_here(const AdminRequest& request, Audience audience) const {
  if (request.node && *request.node != dispatcher_.node()) return std::nullopt;
  return hooks_.describe(*request.service, caller_of(audience));
}

nlohmann::json AdminVerbs::discover(const AdminRequest& request, Audience audience) const {
  nlohmann::json providers = nlohmann::json::array();
  for (const Provider& provider : dispatcher_.discover_service(Message(*request.service), caller_of(audience))) {
    providers.push_back({{"node", provider.node}, {"router", provider.router}});
  }
  return {{"providers", std::move(providers)}};
}

void AdminVerbs::describe(const AdminRequest& request, Answer answer, Audience audience) {
  if (const auto document = describe_here(request, audience)) {
    return answer_with(answer, request.seq, [&] { return document_frame(request.seq, *document); });
  }
  std::vector<std::string> nodes;
  if (audience != Audience::nodes && request.node != dispatcher_.node()) {
    if (request.node) {
      nodes.push_back(*request.node);
    } else {
      for (const Provider& provider : dispatcher_.discover_service(Message(*request.service), caller_of(audience))) {
        if (provider.node != "local") nodes.push_back(provider.node);
      }
    }
  }
  describe_elsewhere(dispatcher_, request, std::move(nodes), std::move(answer));
}

void AdminVerbs::views(const AdminRequest& request, Answer answer, Audience audience) {
  const auto hand_on = [answer, seq = request.seq](std::vector<NodeView> views) {
    answer_with(answer, seq, [&] { return document_frame(seq, views_document(std::move(views))); });
  };
  try {
    ask_views(dispatcher_, hooks_.nodes(), audience != Audience::nodes, request.timeout_ms.value_or(kUsualTimeoutMs),
              hand_on);
  } catch (const std::exception& failure) {
    answer(error_frame(request.seq, wire::admin_code::kInternal,
                       "could not ask the nodes: " + std::string(failure.what())));
  }
}

void AdminVerbs::trail(const AdminRequest& request, Answer answer, Audience audience) {
  const bool others = audience != Audience::nodes;
  const auto hand_on = [answer, others, seq = request.seq, own = dispatcher_.node()](TrailParts parts) {
    answer_with(answer, seq, [&] {
      // One node tells another what it knows, and people the whole story.
      return document_frame(seq, others ? trail_document(parts) : nlohmann::json{{"rows", parts.rows.at(own)}});
    });
  };
  try {
    ask_trail(dispatcher_, *request.correlation_id, others, request.timeout_ms.value_or(kTrailTimeoutMs), hand_on);
  } catch (const std::exception& failure) {
    answer(error_frame(request.seq, wire::admin_code::kInternal,
                       "could not follow the call: " + std::string(failure.what())));
  }
}

nlohmann::json AdminVerbs::events(const AdminRequest& request) const {
  std::optional<EventHistory::Cursor> after;
  if (request.after) after = read_cursor(*request.after);
  return events_document(hooks_.events(after ? &*after : nullptr));
}

// Shows the levels; where one is given, after it has been set.
std::vector<std::uint8_t> AdminVerbs::log_level(const AdminRequest& request) const {
  if (request.level) {
    const std::string problem = hooks_.set_log_level(request.part.value_or(""), *request.level);
    if (!problem.empty()) {
      return error_frame(request.seq, wire::admin_code::kNotDone, "could not set the level of the log: " + problem);
    }
  }
  return document_frame(request.seq, hooks_.log_levels());
}

void AdminVerbs::order(const AdminRequest& request, Answer answer) {
  const std::string what = "could not " + request.verb + " " + in_quotes(*request.plugin) + ": ";
  const auto done = [answer, what, seq = request.seq](const std::string& problem, const nlohmann::json& document) {
    answer_with(answer, seq, [&] {
      return problem.empty() ? document_frame(seq, document)
                             : error_frame(seq, wire::admin_code::kNotDone, what + problem);
    });
  };
  try {
    hooks_.order(request.verb, *request.plugin, done);
  } catch (const std::exception& failure) {
    answer(error_frame(request.seq, wire::admin_code::kInternal, what + failure.what()));
  }
}

void AdminVerbs::rescan(std::uint64_t seq, Answer answer) {
  try {
    hooks_.rescan([answer, seq](const nlohmann::json& document) {
      answer_with(answer, seq, [&] { return document_frame(seq, document); });
    });
  } catch (const std::exception& failure) {
    answer(error_frame(seq, wire::admin_code::kInternal,
                       "could not scan the plugin directory: " + std::string(failure.what())));
  }
}

}  // namespace busbar::host
