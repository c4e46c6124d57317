#include "people.hpp"

#include <busbar/wire/schema_view.hpp>
#include <busbar/wire/service_terms.hpp>

#include <array>
#include <cstdio>
#include <utility>
#include <vector>

#include "schema_text.hpp"

namespace busbar::cli {

namespace {

using Kind = Response::Kind;

std::string indented(const Json& json) {
  return printable_json(json.dump(2, ' ', false, Json::error_handler_t::replace));
}

/// Any value of a document in one cell; what is missing is a dash.
std::string cell_text(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? "-" : printable(value.get<std::string>());
  if (!value.is_structured()) return value.dump();
  std::string out;
  for (const auto& [key, element] : value.items()) {
    out += (out.empty() ? "" : ", ") + (value.is_object() ? printable(key) + " " : std::string()) + cell_text(element);
  }
  return out.empty() ? "-" : out;
}

std::string member(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? "-" : cell_text(*found);
}

const Json& list_in(const Json& document, const char* name) {
  static const Json none = Json::array();
  const auto found = document.is_object() ? document.find(name) : document.end();
  return found != document.end() && found->is_array() ? *found : none;
}

/// How many calls are taken, where that is limited.
std::string limit_cell(const Json& object) {
  const wire::CallLimit limit = wire::limit_in(object);
  return limit.max_running == 0 ? "-" : to_text(limit);
}

Colour colour_of_state(std::string_view state) {
  if (state == "serving" || state == "self" || state == "up") return Colour::green;
  if (state == "failed" || state == "unreachable") return Colour::red;
  if (state == "stuck" || state == "retired" || state == "suspect") return Colour::yellow;
  return Colour::cyan;
}

std::string uptime_text(const Json& document) {
  const auto found = document.find("uptime_s");
  if (found == document.end() || !found->is_number()) return "-";
  const auto seconds = static_cast<unsigned long long>(found->get<double>());
  const std::array<std::pair<unsigned long long, const char*>, 4> units = {
      {{seconds / 86'400, " d"}, {seconds / 3'600 % 24, " h"}, {seconds / 60 % 60, " min"}, {seconds % 60, " s"}}};
  std::string out;
  for (const auto& [count, unit] : units) {
    if (count == 0 && out.empty() && std::string_view(unit) != " s") continue;
    out += (out.empty() ? "" : " ") + std::to_string(count) + unit;
  }
  return out;
}

/// A number of a document with its unit; what is missing is a dash.
std::string duration_cell(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number_unsigned() ? milliseconds(found->get<std::uint64_t>()) : "-";
}

std::string lines_text(const std::vector<std::pair<std::string, Cell>>& lines, std::size_t width,
                       const Palette& palette) {
  std::string out;
  for (const auto& [name, cell] : lines) {
    out += name + std::string(width - name.size(), ' ') + palette(cell.colour, cell.text) + "\n";
  }
  return out;
}

/// The rows of a validation error or of no_nodes_available, as far as they are such.
std::string rows_text(const Json& rows, const std::vector<std::pair<const char*, const char*>>& columns,
                      const Palette& palette) {
  std::vector<std::string> head;
  for (const auto& [title, name] : columns) head.emplace_back(title);
  std::vector<std::vector<Cell>> cells;
  for (const Json& row : rows) {
    if (!row.is_object()) return indented(rows) + "\n";
    auto& line = cells.emplace_back();
    for (const auto& [title, name] : columns) line.push_back({member(row, name), Colour::none});
  }
  return table(head, cells, palette);
}

std::string value_text(const Response& response, const Palette& palette) {
  if (response.value().empty()) return {};
  const Json value = payload_json(response.value());
  if (value.is_array() && response.kind() == Kind::validation_error) {
    return rows_text(value, {{"FIELD", "path"}, {"EXPECTED", "expected"}, {"FOUND", "found"}}, palette);
  }
  if (value.is_array() && response.is_error(code::kNoNodesAvailable)) {
    return rows_text(value, {{"NODE", "node"}, {"REASON", "reason"}}, palette);
  }
  return indented(value) + "\n";
}

std::string error_line(const Response& response, const Palette& palette) {
  std::string line = palette(Colour::red, "error") + " " + palette(Colour::bold, printable(response.error_code()));
  if (response.is_error(code::kBadRpc)) line += " (" + printable(response.bad_rpc_kind()) + ")";
  std::string_view text = response.text();
  if (text.empty() && response.is_error(code::kTryAnotherNode)) text = response.reason();
  return text.empty() ? line : line + ": " + printable(text);
}

std::string with_version(std::string line, const Response& response) {
  return response.version() ? line + ", version " + std::to_string(*response.version()) : line;
}

/// What a service takes and gives, as far as its plugin says it.
std::string shapes_text(const Json& document, const std::string& host_options, const Palette& palette) {
  std::string out;
  if (const auto found = document.find("request"); found != document.end()) {
    out += palette(Colour::bold, "request") + "\n" + schema_text(*found, true, palette);
  }
  if (const auto found = document.find("response"); found != document.end()) {
    out += palette(Colour::bold, "response") + "\n" + schema_text(*found, false, palette);
  }
  if (const auto found = document.find("example"); found != document.end()) {
    out += palette(Colour::bold, "example") + "\n  " +
           call_line(host_options, member(document, "name"), *found, document.value("example_assigns", Json())) + "\n";
  }
  return out;
}

}  // namespace

std::string milliseconds(std::uint64_t duration_us) {
  char text[32];
  std::snprintf(text, sizeof text, "%llu.%03llu ms", static_cast<unsigned long long>(duration_us / 1000),
                static_cast<unsigned long long>(duration_us % 1000));
  return text;
}

std::string response_line(const Response& response, const Palette& palette) {
  switch (response.kind()) {
    case Kind::none:
      return palette(Colour::red, "an answer of an unknown kind");
    case Kind::ok:
      return with_version(palette(Colour::green, "ok"), response);
    case Kind::created:
      return with_version(palette(Colour::green, "created") + " " + printable(response.id()), response);
    case Kind::service_unavailable:
      return palette(Colour::red, "service unavailable") + ": nobody offers " + in_quotes(response.service());
    case Kind::service_timeout:
      return palette(Colour::red, "timeout") + ": " + in_quotes(response.service()) + " did not answer within " +
             std::to_string(response.timeout_ms()) + " ms";
    case Kind::validation_error:
      return palette(Colour::red, "validation error") + ": the request does not fit";
    case Kind::missing_id:
      return palette(Colour::red, "missing id") + ": the request has no field " + in_quotes(response.field());
    case Kind::error:
      break;
  }
  return error_line(response, palette);
}

std::string reply_text(const wire::AdminReply& reply, const Palette& palette,
                       const std::optional<std::string>& headline) {
  const Response response = wire::from_wire(reply.response);
  std::string out = headline.value_or(response_line(response, palette)) + "\n" + value_text(response, palette);
  if (reply.events) {
    out += palette(Colour::bold, "events") + "\n" + indented(payload_json(wire::payload_of(reply.events))) + "\n";
  }
  if (reply.assigns) {
    const Json assigns = payload_json(wire::payload_of(reply.assigns));
    if (!assigns.empty()) out += palette(Colour::bold, "assigns") + "\n" + indented(assigns) + "\n";
  }
  return out +
         palette(Colour::dim, "message " + printable(reply.message_id) + ", node " + printable(reply.node) + ", " +
                                  milliseconds(reply.duration_us)) +
         "\n";
}

std::string providers_text(const Json& document, const std::string& service, const Palette& palette) {
  std::vector<std::vector<Cell>> rows;
  for (const Json& row : list_in(document, "providers")) {
    rows.push_back({{member(row, "node"), Colour::none}, {member(row, "router"), Colour::none}});
  }
  if (rows.empty()) return palette(Colour::red, "not found") + ": nobody offers " + in_quotes(service) + "\n";
  return table({"NODE", "ROUTER"}, rows, palette);
}

std::string services_text(const Json& document, const Palette& palette) {
  std::vector<std::vector<Cell>> rows;
  for (const Json& row : list_in(document, "services")) {
    const std::string visibility = member(row, "visibility");
    rows.push_back({{member(row, "name"), Colour::bold},
                    {visibility, visibility == "private" ? Colour::yellow : Colour::none},
                    {member(row, "plugin"), Colour::none},
                    {member(row, "inline"), Colour::none},
                    {member(row, "providers"), Colour::none},
                    {member(row, "doc"), Colour::dim}});
  }
  if (rows.empty()) return "no services\n";
  return table({"SERVICE", "VISIBILITY", "PLUGIN", "INLINE", "PROVIDERS", "WHAT IT DOES"}, rows, palette);
}

namespace {

// Of a host of an older version it is not known.
std::string strategy_cell(const Json& document) {
  const std::string strategy = member(document, "strategy"), field = member(document, "sticky_field");
  return strategy == "-" ? strategy : wire::strategy_text(strategy, field == "-" ? "" : field);
}

}  // namespace

std::string description_text(const Json& document, const std::string& host_options, const Palette& palette) {
  const std::string dry_run_safe = member(document, "dry_run_safe");
  const std::string timeout = member(document, "timeout_ms");
  const Cell dry_run = dry_run_safe == "no"  // C-D10
                           ? Cell{"no: with --dry-run it may do what a real call does", Colour::yellow}
                           : Cell{dry_run_safe, Colour::none};
  return lines_text({{"service", {member(document, "name"), Colour::bold}},
                     {"what it does", {member(document, "doc"), Colour::none}},
                     {"plugin", {member(document, "plugin") + " " + member(document, "version"), Colour::none}},
                     {"timeout", {timeout == "-" ? timeout : timeout + " ms", Colour::none}},
                     {"inline", {member(document, "inline"), Colour::none}},
                     {"idempotent", {member(document, "idempotent"), Colour::none}},
                     {"dry-run safe", dry_run},
                     {"strategy", {strategy_cell(document), Colour::none}},
                     {"limit", {limit_cell(document), Colour::none}},
                     {"plugin limit", {limit_cell(wire::member_of(document, "plugin_limit")), Colour::none}},
                     {"providers", {member(document, "providers"), Colour::none}},
                     {"described by", {member(document, "described_by"), Colour::dim}}},
                    14, palette) +
         shapes_text(document, host_options, palette);
}

namespace {

std::string insecure_text(const Json& document, const Palette& palette) {
  if (!wire::member_of(document, "insecure").is_boolean() || !document["insecure"].get<bool>()) return {};
  return palette(Colour::red, "insecure") +
         ": without keys, at addresses that other machines reach; whoever does may call every public service\n";
}

/// In one line: whether there are keys, how many are let in, and who was turned away how often.
std::string security_cell(const Json& cluster) {
  const Json& security = wire::member_of(cluster, "security");
  if (!security.is_object()) return "-";
  if (member(security, "mode") != "curve") {
    return member(cluster, "insecure") == "yes" ? "INSECURE: no keys, and other machines reach it"
                                                : "no keys, this machine alone";
  }
  std::string out = "curve, " + member(security, "authorized") + " keys let in";
  if (member(security, "renewing") != "0") out += ", " + member(security, "renewing") + " connections to be renewed";
  return out;
}

std::string turned_away_cell(const Json& cluster) {
  std::string out;
  const Json& reasons = wire::member_of(wire::member_of(cluster, "security"), "turned_away");
  for (const auto& [reason, count] : reasons.items()) {
    if (count != 0) out += (out.empty() ? "" : ", ") + reason + " " + count.dump();
  }
  return out.empty() ? "nobody" : out;
}

/// Adds a row for each node that was lost, and may come back; returns why each was. Who said goodbye is not missed.
std::string add_lost(const Json& document, std::vector<std::vector<Cell>>& rows, const Palette& palette) {
  std::string reasons;
  for (const Json& row : list_in(document, "departed")) {
    if (wire::member_of(row, "may_return") != true) continue;
    const std::string name = member(row, "name");
    rows.push_back({{name, Colour::bold},
                    {"lost", Colour::red},
                    {"-", Colour::none},
                    {member(row, "registry_address"), Colour::none},
                    {"-", Colour::none},
                    {member(row, "since"), Colour::none},
                    {"-", Colour::none}});
    reasons += palette(Colour::red, name) + ": " + member(row, "reason") + "\n";
  }
  return reasons;
}

}  // namespace

namespace {

// 0: not known yet, or the host's own.
std::string round_trip_cell(const Json& row) {
  const Json& round_trip = wire::member_of(row, "round_trip_us");
  return round_trip == 0 ? "-" : duration_cell(row, "round_trip_us");
}

}  // namespace

std::string nodes_text(const Json& document, const Palette& palette) {
  std::vector<std::vector<Cell>> rows;
  for (const Json& row : list_in(document, "nodes")) {
    const std::string state = member(row, "state");
    rows.push_back({{member(row, "name"), Colour::bold},
                    {state, colour_of_state(state)},
                    {member(row, "address"), Colour::none},
                    {member(row, "registry_address"), Colour::none},
                    {round_trip_cell(row), Colour::none},
                    {member(row, "since"), Colour::none},
                    {member(row, "services"), Colour::none}});
  }
  const std::string reasons = add_lost(document, rows, palette);
  if (rows.empty()) return "no nodes\n";
  return insecure_text(document, palette) +
         table({"NODE", "STATE", "ADDRESS", "REGISTRY ADDRESS", "ROUND TRIP", "SINCE", "SERVICES"}, rows, palette) +
         (reasons.empty() ? "" : "\n" + reasons);
}

std::string plugins_text(const Json& document, const Palette& palette) {
  std::vector<std::vector<Cell>> rows;
  std::string reasons;
  for (const Json& row : list_in(document, "plugins")) {
    const std::string state = member(row, "state");
    const std::string name = member(row, "name");
    const std::string whose = name == "-" ? member(row, "file") : name;  // a file that is no plugin has no other name
    rows.push_back({{whose, Colour::bold},
                    {member(row, "version"), Colour::none},
                    {member(row, "generation"), Colour::none},
                    {state, colour_of_state(state)},
                    {member(row, "calls_running"), Colour::none},
                    {member(row, "calls_served"), Colour::none},
                    {member(row, "errors"), Colour::none},
                    {member(row, "since"), Colour::none},
                    {limit_cell(row), Colour::none},
                    {member(row, "services"), Colour::none}});
    if (const std::string reason = member(row, "reason"); reason != "-") {
      reasons += palette(colour_of_state(state), whose) + ": " + reason + "\n";
      if (name != "-" && member(row, "file") != "-") reasons += "  " + palette(Colour::dim, member(row, "file")) + "\n";
    }
  }
  if (rows.empty()) return "no plugins\n";
  return table({"PLUGIN", "VERSION", "GEN", "STATE", "RUNNING", "SERVED", "ERRORS", "SINCE", "LIMIT", "SERVICES"}, rows,
               palette) +
         (reasons.empty() ? "" : "\n" + reasons);
}

std::string calls_text(const Json& document, const Palette& palette) {
  std::vector<std::vector<Cell>> rows;
  for (const Json& row : list_in(document, "calls")) {
    const bool gone = row.is_object() && row.value("caller_gone", false);
    rows.push_back({{member(row, "service"), Colour::bold},
                    {member(row, "node"), Colour::none},
                    {member(row, "state"), Colour::none},
                    {member(row, "age_ms") + " ms", Colour::none},
                    {gone ? "caller gone" : member(row, "left_ms") + " ms", gone ? Colour::yellow : Colour::none},
                    {member(row, "caller"), Colour::none},
                    {member(row, "message_id"), Colour::none},
                    {member(row, "correlation_id"), Colour::none}});
  }
  if (rows.empty()) return "no calls\n";
  return table({"SERVICE", "NODE", "STATE", "AGE", "LEFT", "CALLER", "MESSAGE", "CORRELATION"}, rows, palette);
}

std::string log_levels_text(const Json& document, const Palette& palette) {
  std::vector<std::vector<Cell>> rows;
  const auto add = [&](const std::string& part, const Json& row) {
    const bool changed = row.is_object() && row.value("changed", false);
    rows.push_back({{part, Colour::bold},
                    {member(row, "level"), changed ? Colour::yellow : Colour::none},
                    {changed ? "log-level" : "configuration", Colour::none}});
  };
  add("(all others)", document);
  for (const Json& row : list_in(document, "parts")) add(member(row, "part"), row);
  return table({"PART", "LEVEL", "SET BY"}, rows, palette);
}

std::string status_text(const Json& document, const Palette& palette) {
  const std::string ready = member(document, "ready");
  const std::string why_not = member(document, "not_ready");
  const Json& all = wire::member_of(document, "cluster");
  Json cluster = all;
  if (cluster.is_object()) cluster.erase("security");  // which has lines of its own
  const std::vector<std::pair<std::string, Cell>> lines = {
      {"node", {member(document, "node"), Colour::bold}},
      {"version", {member(document, "version"), Colour::none}},
      {"ready", {why_not == "-" ? ready : ready + ": " + why_not, ready == "yes" ? Colour::green : Colour::yellow}},
      {"uptime", {uptime_text(document), Colour::none}},
      {"plugins", {member(document, "plugins"), Colour::none}},
      {"watch", {member(document, "watch"), Colour::none}},
      {"pool", {member(document, "pool"), Colour::none}},
      {"log", {member(document, "log"), Colour::none}},
      {"http", {member(wire::member_of(document, "http"), "address"), Colour::none}},
      {"cluster", {cell_text(cluster), Colour::none}},
      {"security", {security_cell(all), Colour::none}},
      {"turned away", {turned_away_cell(all), Colour::none}}};
  return lines_text(lines, 13, palette);
}

std::string failure_text(const Failure& failure, const Palette& palette) {
  std::string out = "busbar: " + palette(Colour::red, printable(failure.what())) + "\n";
  if (!failure.hint().empty()) out += "hint: " + printable(failure.hint()) + "\n";
  return out;
}

}  // namespace busbar::cli
