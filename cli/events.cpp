#include "events.hpp"

#include <busbar/wire/event_names.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "people.hpp"

namespace busbar::cli {

namespace {

namespace verb = wire::admin_verb;

constexpr std::string_view kMissed = "missed";

/// The same with its members in the order in which they are documented.
Json in_order(const Json& event) {
  Json out = Json::object();
  for (const char* name : {"event", "at", "node", "service", "message_id", "correlation_id", "duration_us", "response",
                           "code", "reason"}) {
    if (const auto found = event.find(name); found != event.end()) out[name] = *found;
  }
  for (const auto& [name, value] : event.items()) {
    if (!out.contains(name)) out[name] = value;
  }
  return out;
}

class Events {
 public:
  Events(const Command& command, const Ask& ask, const Streams& streams)
      : command_(command), ask_(ask), streams_(streams), palette_(streams.coloured_out) {}

  /// Shows what has come since the last time; at first what the host has kept. Returns whether it was as much as an
  /// answer holds: then the next may be full already.
  bool show_more() {
    const wire::AdminAnswer answer = ask_(request());
    const Json page = payload_json(wire::payload_of(answer.document));
    const auto next = page.find("next");
    const auto events = page.find("events");
    if (next == page.end() || events == page.end() || !events->is_array()) {
      throw Failure(ExitStatus::error, wire::admin_code::kProtocol,
                    "could not read the host's answer: expected events and where they go on",
                    "use the command line that was installed with the host");
    }
    std::string text;
    if (const std::uint64_t missed = page.value("missed", std::uint64_t{0}); missed != 0) {
      text += line({{"event", kMissed}, {"count", missed}});
    }
    for (const Json& event : *events) {
      if (asked_for(event)) text += line(event);
    }
    if (!text.empty()) streams_.out << text << std::flush;
    after_ = cbor::from_json(nlohmann::json(*next));
    return events->size() >= wire::kMostEventsTold;
  }

 private:
  wire::AdminRequest request() const {
    wire::AdminRequest request;
    request.seq = 1;
    request.verb = verb::kEvents;
    request.after = after_;
    return request;
  }

  bool asked_for(const Json& event) const {
    if (!command_.service.empty() && event.value("service", "") != command_.service) return false;
    const auto& kinds = command_.event_kinds;
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), event.value("event", "")) != kinds.end();
  }

  std::string line(const Json& event) const {
    if (!command_.json) return event_line(event, palette_);
    return in_order(event).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  const Command& command_;
  const Ask& ask_;
  const Streams& streams_;
  const Palette palette_;
  std::optional<wire::Item> after_;
};

Colour colour_of(std::string_view event) {
  if (event == "plugin_failed" || event == "service_not_found") return Colour::red;
  constexpr std::array<std::string_view, 4> kWarnings = {"node_left", "inline_service_too_slow", "circle_refused",
                                                         kMissed};
  if (std::find(kWarnings.begin(), kWarnings.end(), event) != kWarnings.end()) return Colour::yellow;
  if (event.starts_with("plugin_") || event.starts_with("node_")) return Colour::green;
  return Colour::cyan;
}

std::string text_of(const Json& event, const char* name) {
  const auto found = event.find(name);
  return found != event.end() && found->is_string() ? printable(found->get<std::string>()) : std::string();
}

}  // namespace

std::string event_line(const Json& event, const Palette& palette) {
  const std::string kind = text_of(event, "event");
  if (kind == kMissed) {
    return palette(colour_of(kind), std::to_string(event.value("count", std::uint64_t{0})) +
                                        " events were missed: they came faster than they were read") +
           "\n";
  }
  std::string out = palette(Colour::dim, text_of(event, "at")) + "  " + palette(colour_of(kind), kind);
  if (const std::string service = text_of(event, "service"); !service.empty()) {
    out += "  " + palette(Colour::bold, service);
  }
  for (const char* name : {"node", "plugin", "file", "visibility", "origin"}) {
    if (const std::string text = text_of(event, name); !text.empty()) out += "  " + std::string(name) + "=" + text;
  }
  if (const auto found = event.find("duration_us"); found != event.end() && found->is_number()) {
    out += "  " + milliseconds(found->get<std::uint64_t>());
  }
  for (const char* name : {"response", "code"}) {
    if (const std::string text = text_of(event, name); !text.empty()) {
      out += "  " + palette(text == "ok" || text == "created" ? Colour::green : Colour::red, text);
    }
  }
  const std::string id = text_of(event, "message_id");
  const std::string correlation = text_of(event, "correlation_id");
  if (!id.empty()) out += "  " + palette(Colour::dim, "message=" + id);
  if (correlation != id) out += "  " + palette(Colour::dim, "correlation=" + correlation);
  if (const std::string reason = text_of(event, "reason"); !reason.empty()) out += "  " + reason;
  return out + "\n";
}

ExitStatus run_events(const Command& command, const Ask& ask, const Pause& pause, const Streams& streams) {
  Events events(command, ask, streams);
  bool full = events.show_more();
  if (!command.follow) return ExitStatus::ok;
  const Failure stopped(ExitStatus::no_host, failure_code::kNoHost, "the host has stopped: no more events will come");
  while (streams.out) {
    if (!pause(full)) throw stopped;
    try {
      full = events.show_more();
    } catch (const Failure& failure) {
      if (failure.status() == ExitStatus::no_host) throw stopped;
      throw;
    }
  }
  return ExitStatus::error;
}

}  // namespace busbar::cli
