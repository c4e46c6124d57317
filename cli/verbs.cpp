#include "verbs.hpp"

#include <busbar/message_id.hpp>
#include <busbar/trace.hpp>

#include <filesystem>
#include <string>
#include <utility>

#include "json_argument.hpp"
#include "one_node.hpp"
#include "people.hpp"
#include "rescan.hpp"
#include "response_json.hpp"
#include "similar.hpp"
#include "text.hpp"
#include "trail/trail.hpp"
#include "views.hpp"

namespace busbar::cli {

namespace {

namespace verb = wire::admin_verb;

class Run {
 public:
  Run(const Command& command, const Ask& ask, const Streams& streams)
      : command_(command), ask_(ask), streams_(streams), palette_(streams.coloured_out) {}

  wire::AdminRequest request() const {
    wire::AdminRequest request;
    request.seq = 1;
    request.verb = command_.views ? verb::kViews : std::string_view(command_.verb);
    if (command_.views) request.timeout_ms = command_.timeout_ms;
    if (!command_.plugin.empty()) request.plugin = plugin();
    if (!command_.correlation_id.empty()) request.correlation_id = command_.correlation_id;
    if (!command_.log_level.empty()) request.level = command_.log_level.back();
    if (command_.log_level.size() > 1) request.part = command_.log_level.front();
    if (command_.service.empty()) return request;
    request.service = command_.service;
    if (command_.verb == verb::kDiscover || command_.verb == verb::kDescribe) return request;
    add_call(request, command_, streams_.in);
    put_trace(request);
    return request;
  }

  /// Looks at what a rescan will change, which is told to people afterwards.
  void look_before() {
    if (command_.verb != verb::kRescan || command_.json) return;
    wire::AdminRequest request;
    request.seq = 1;
    request.verb = verb::kPlugins;
    const wire::AdminAnswer answer = ask_(request);
    if (answer.document) before_ = payload_json(wire::payload_of(answer.document));
  }

  /// The failure as it is told: where the host knows no such service, with the one that was probably meant.
  Failure explained(const Failure& failure) const {
    if (failure.status() != ExitStatus::service_unavailable) return failure;
    const std::string hint = hint_at_similar();
    return hint.empty() ? failure : Failure(failure.status(), failure.code(), failure.what(), hint);
  }

  ExitStatus show(const wire::AdminAnswer& answer) const {
    if (command_.verb == verb::kAuthorized) return show_authorized(answer);
    if (answer.reply) return show_reply(*answer.reply);
    if (answer.document) return show_document(payload_json(wire::payload_of(answer.document)));
    throw Failure(ExitStatus::error, wire::admin_code::kProtocol, "could not read the host's answer: it has none");
  }

 private:
  /// Hosts remember the hops of a call whose trace is recorded: one that is to be explained says so.
  void put_trace(wire::AdminRequest& request) const {
    if (!command_.traceparent.empty()) request.traceparent = command_.traceparent;
    if (!command_.explain) return;
    request.id = std::string(new_message_id().view());
    auto trace = request.traceparent ? TraceParent::parse(*request.traceparent) : std::nullopt;
    if (!trace) trace = trace_of(*request.id, *request.id);
    trace->flags |= TraceParent::kSampled;
    request.traceparent = trace->text();
  }

  /// Which plugin; of `load` the file, as the host finds it, whose current directory is another.
  std::string plugin() const {
    if (command_.verb != verb::kLoad) return command_.plugin;
    return std::filesystem::absolute(command_.plugin).lexically_normal();
  }

  void write(const Json& json) const {
    streams_.out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  }

  ExitStatus show_reply(const wire::AdminReply& reply) const {
    // Made first, so that nothing is written if it cannot be.
    Json json = reply_json(reply);
    const Response response = wire::from_wire(reply.response);
    const bool too_late = response.kind() == Response::Kind::service_timeout && command_.verb != verb::kAuthorized;
    Json trail;
    if (command_.explain || too_late) trail = trail_of(ask_, reply.correlation_id);
    if (command_.json) {
      if (!trail.is_null()) json["explain"] = std::move(trail);
      write(json);
    } else {
      streams_.out << reply_text(reply, palette_, one_node_line(response, command_, ask_, palette_));
      if (!trail.is_null()) streams_.out << trail_text(trail, command_.explain ? Kept::all : Kept::long_ones, palette_);
      if (reply.warning) {
        streams_.err << Palette(streams_.coloured_err)(Colour::yellow, "warning") << ": " << printable(*reply.warning)
                     << "\n";
      }
    }
    if (response.kind() == Response::Kind::service_unavailable) write_hint();
    return exit_status_of(response);
  }

  ExitStatus show_authorized(const wire::AdminAnswer& answer) const {
    if (!answer.authorized && answer.reply) return show_reply(*answer.reply);
    const bool yes = answer.authorized.value_or(false);
    if (command_.json) {
      write({{"authorized", yes}});
    } else if (yes) {
      streams_.out << palette_(Colour::green, "yes") << "\n";
    } else {
      streams_.out << palette_(Colour::red, "no");
      if (answer.reply) streams_.out << ": " << response_line(wire::from_wire(answer.reply->response), palette_);
      streams_.out << "\n";
    }
    return yes ? ExitStatus::ok : ExitStatus::forbidden;
  }

  ExitStatus show_document(Json document) const {
    if (command_.verb == verb::kServices) keep_visible(document);
    command_.json ? write(document) : void(streams_.out << document_text(document));
    if (const std::string problem = document.value("problem", ""); !problem.empty()) {
      streams_.err << "busbar: the plugin directory could not be looked at: " << printable(problem) << "\n";
      if (command_.verb == verb::kRescan) return ExitStatus::error;
    }
    if (command_.views) return agree(document) ? ExitStatus::ok : ExitStatus::error;
    const bool none_found = command_.verb == verb::kDiscover && document.value("providers", Json::array()).empty();
    if (!none_found) return ExitStatus::ok;
    write_hint();
    return ExitStatus::service_unavailable;
  }

  std::string document_text(const Json& document) const {
    if (command_.verb == verb::kDiscover) return providers_text(document, command_.service, palette_);
    if (command_.verb == verb::kServices) return services_text(document, palette_);
    if (command_.verb == verb::kDescribe) return description_text(document, command_.host_options, palette_);
    if (command_.views) return views_text(document, palette_);
    if (command_.verb == verb::kNodes) return nodes_text(document, palette_);
    if (command_.verb == verb::kStatus) return status_text(document, palette_);
    if (command_.verb == verb::kCalls) return calls_text(document, palette_);
    if (command_.verb == verb::kTrail) return trail_text(document, Kept::long_ones, palette_);
    if (command_.verb == verb::kLogLevel) return log_levels_text(document, palette_);
    if (command_.verb == verb::kRescan) {
      return rescan_text(before_, document, palette_) + "\n" + plugins_text(document, palette_);
    }
    return plugins_text(document, palette_);
  }

  /// Empty for programs, and where there is none.
  std::string hint_at_similar() const {
    if (command_.json) return {};
    const auto name = similar_service(command_.service, ask_);
    return name ? "did you mean " + in_quotes(*name) + "?" : std::string();
  }

  void write_hint() const {
    if (const std::string hint = hint_at_similar(); !hint.empty()) streams_.err << "hint: " << hint << "\n";
  }

  void keep_visible(Json& document) const {  // C-R7
    if (command_.visibility == "all" || !document.is_object()) return;
    Json kept = Json::array();
    for (const Json& service : document.value("services", Json::array())) {
      if (service.is_object() && service.value("visibility", "") == command_.visibility) kept.push_back(service);
    }
    document["services"] = std::move(kept);
  }

  const Command& command_;
  const Ask& ask_;
  const Streams& streams_;
  const Palette palette_;
  Json before_;
};

}  // namespace

void add_call(wire::AdminRequest& request, const Command& command, std::istream& in) {
  if (!command.node.empty()) request.node = command.node;
  if (!command.strategy.empty()) request.strategy = command.strategy;
  if (!command.sticky_key.empty()) request.sticky_key = command.sticky_key;
  request.request = read_json_argument(command.request, in);
  if (!command.assigns.empty()) request.assigns = read_assigns(command.assigns);
  request.timeout_ms = command.timeout_ms;
  request.dry_run = command.dry_run;
}

ExitStatus run_verb(const Command& command, const Ask& ask, const Streams& streams) {
  Run run(command, ask, streams);
  run.look_before();
  try {
    return run.show(ask(run.request()));
  } catch (const Failure& failure) {
    throw run.explained(failure);
  }
}

ExitStatus report(const Failure& failure, bool json, const Streams& streams) {
  if (json) {
    streams.out << failure_json(failure).dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    streams.err << failure_text(failure, Palette(streams.coloured_err));
  }
  return failure.status();
}

}  // namespace busbar::cli
