#include "config.hpp"

#include <utility>
#include <vector>

#include "host_client.hpp"
#include "rows.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

constexpr const char* kHidden = "(hidden)";

std::string value_in(const Json& row, const char* member) {
  const auto found = row.find(member);
  return found == row.end() ? "-" : printable(found->dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::vector<std::string> texts_in(const Json& document, const char* member) {
  std::vector<std::string> out;
  const auto found = document.is_object() ? document.find(member) : document.end();
  if (found == document.end() || !found->is_array()) return out;
  for (const Json& each : *found) {
    if (each.is_string()) out.push_back(printable(each.get<std::string>()));
  }
  return out;
}

/// Of keys that could change at once, but not with what else is in effect.
std::string together_text(const Json& document, const char* member) {
  std::string out;
  for (const Json& row : rows_in(document, member)) {
    std::string others;
    for (const std::string& other : texts_in(row, "with")) others += (others.empty() ? "" : ", ") + other;
    if (others.empty()) continue;
    out += printable(text_of(row, "key")) + " is not allowed by what is in effect: it waits together with " + others +
           "\n";
  }
  return out;
}

std::string changes_text(const Json& document, const char* member, const std::string& title, const char* before,
                         const char* after, const Palette& palette) {
  std::vector<std::vector<Cell>> cells;
  for (const Json& row : rows_in(document, member)) {
    cells.push_back({{printable(text_of(row, "key")), Colour::bold},
                     {value_in(row, before), Colour::none},
                     {value_in(row, after), Colour::none},
                     {printable(text_of(row, "where")), Colour::dim}});
  }
  if (cells.empty()) return {};
  const bool waits = std::string_view(member) == "needs_restart";
  return palette(waits ? Colour::yellow : Colour::green, title) + "\n" +
         table({"KEY", waits ? "IN EFFECT" : "BEFORE", waits ? "AFTER A RESTART" : "NOW", "FROM"}, cells, palette) +
         together_text(document, member);
}

std::string plugins_text(const Json& document, const Palette& palette) {
  std::string out;
  for (const std::string& name : texts_in(document, "plugins")) {
    if (out.empty()) out = palette(Colour::yellow, "in effect when the plugin is reloaded") + "\n";
    out += "[plugin." + name + "]  busbar reload " + name + "\n";
  }
  return out;
}

std::string faults_text(const Json& document, const Palette& palette) {
  std::string out;
  for (const Json& fault : rows_in(document, "faults")) {
    out += palette(Colour::red, printable(text_of(fault, "text"))) + "\n";
  }
  return out;
}

bool is_as_loaded(const Json& reload) {
  return rows_in(reload, "changed").empty() && rows_in(reload, "needs_restart").empty() &&
         texts_in(reload, "plugins").empty() && rows_in(reload, "faults").empty();
}

/// Whether the file says something else than what is in effect.
std::string remark_on_file(const Json& document, const Palette& palette) {
  const auto found = document.find("file_now");
  if (found == document.end() || is_as_loaded(*found)) return {};
  const std::string faults = faults_text(*found, palette);
  if (!faults.empty()) return "\n" + palette(Colour::red, "a host would not start with this any more") + "\n" + faults;
  const bool helps = !rows_in(*found, "changed").empty() || !texts_in(*found, "plugins").empty();
  const std::string title =
      helps ? palette(Colour::yellow, "the file says something else by now: busbar config reload") + "\n" : "";
  return "\n" + title + changes_text(*found, "changed", "would change", "before", "value", palette) +
         changes_text(*found, "needs_restart", "waits for a restart", "value", "after_restart", palette) +
         plugins_text(*found, palette);
}

}  // namespace

std::string config_text(const Json& document, const Palette& palette) {
  std::vector<std::vector<Cell>> cells;
  for (const Json& row : rows_in(document, "keys")) {
    const std::string where = text_of(row, "where");
    const bool is_default = where.empty();
    cells.push_back({{printable(text_of(row, "key")), is_default ? Colour::none : Colour::bold},
                     {value_in(row, "value"), Colour::none},
                     {is_default ? "default" : printable(where), is_default ? Colour::dim : Colour::none}});
  }
  std::string out = table({"KEY", "VALUE", "FROM"}, cells, palette);
  const auto tables = document.find("plugin_tables");
  if (tables != document.end() && tables->is_object() && !tables->empty()) {
    out += "\n";
    for (const auto& [name, table] : tables->items()) {
      out += palette(Colour::bold, "[plugin." + printable(name) + "]") + " " +
             printable(table.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n";
    }
  }
  return out + remark_on_file(document, palette);
}

std::string reload_text(const Json& document, const Palette& palette) {
  if (is_as_loaded(document)) return "nothing has changed\n";
  return changes_text(document, "changed", "changed", "before", "value", palette) +
         changes_text(document, "needs_restart", "waits for a restart", "value", "after_restart", palette) +
         plugins_text(document, palette);
}

Json without_secrets(Json document) {
  const auto tables = document.find("plugin_tables");
  if (tables == document.end() || !tables->is_object()) return document;
  for (Json& table : *tables) {
    if (!table.is_object()) continue;
    for (Json& value : table) value = kHidden;
  }
  return document;
}

ExitStatus run_config(const Command& command, const Ask& ask, const Streams& streams) {
  const bool reloads = command.action == "reload";
  wire::AdminRequest request;
  request.seq = 1;
  request.verb = reloads ? wire::admin_verb::kReloadConfig : wire::admin_verb::kConfig;
  const wire::AdminAnswer answer = ask(request);
  if (!answer.document) refuse_answer("it has no document");
  Json document = payload_json(wire::payload_of(answer.document));
  if (!document.is_object()) refuse_answer("its document is no object");
  if (!command.secrets) document = without_secrets(std::move(document));
  const Palette palette(streams.coloured_out);
  const bool is_good = !reloads || rows_in(document, "faults").empty();
  if (command.json) {
    streams.out << document.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  } else if (is_good) {
    streams.out << (reloads ? reload_text(document, palette) : config_text(document, palette));
  } else {
    streams.err << faults_text(document, Palette(streams.coloured_err)) << "nothing was changed\n";
  }
  return is_good ? ExitStatus::ok : ExitStatus::error;
}

}  // namespace busbar::cli
