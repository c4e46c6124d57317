#include "schema_text.hpp"

#include <busbar/wire/schema_view.hpp>

#include <algorithm>
#include <vector>

namespace busbar::cli {

namespace {

using wire::member_of;
using wire::SchemaKind;
using SchemaView = wire::SchemaView<Json>;

// What is nested deeper, or more of it, is for `--json`; a type within itself would go on for ever.
constexpr unsigned kDeepest = 6;
constexpr std::size_t kMostRows = 200;

class Fields {
 public:
  Fields(const Json& schema, bool is_request) : root_(schema), is_request_(is_request) {}

  std::string text(const Palette& palette) {
    const SchemaView whole = wire::view_of(root_, root_);
    go_into(whole, {}, 0);
    if (rows_.empty()) return "  " + type_of(whole) + "\n";
    std::vector<std::string> head = {"  FIELD", "TYPE", "ALWAYS"};
    if (is_request_) head = {"  FIELD", "TYPE", "REQUIRED", "DEFAULT"};
    const std::string intro = whole.kind == SchemaKind::record ? "" : "  " + type_of(whole) + "\n";
    return intro + table(head, rows_, palette) + (cut_ ? "  … and more: see --json\n" : "");
  }

 private:
  /// With what the elements are, where that is short.
  std::string type_of(const SchemaView& view) const {
    std::string out = printable(wire::to_text(view));
    if (view.kind == SchemaKind::array) out += " of " + type_of_part((*view.node)["items"]);
    if (view.kind == SchemaKind::map) out = "map of names to " + type_of_part((*view.node)["additionalProperties"]);
    if (view.kind == SchemaKind::variant) out += ": one of " + alternatives_of(*view.node);
    const Json& unit = member_of(*view.node, "description");
    return unit.is_string() ? out + ", " + printable(unit.get<std::string>()) : out;
  }

  std::string type_of_part(const Json& schema) const { return printable(wire::to_text(wire::view_of(schema, root_))); }

  static std::string alternatives_of(const Json& variant) {
    std::string names;
    for (const Json& alternative : variant["oneOf"]) {
      const Json& name = member_of(member_of(member_of(alternative, "properties"), "type"), "const");
      if (name.is_string()) names += (names.empty() ? "" : ", ") + printable(name.get<std::string>());
    }
    return names;
  }

  void go_into(const SchemaView& view, const std::string& path, unsigned depth) {
    if (depth == kDeepest) return;
    if (view.kind == SchemaKind::array) go_into_part((*view.node)["items"], path + "[]", depth);
    if (view.kind == SchemaKind::map) go_into_part((*view.node)["additionalProperties"], path + ".NAME", depth);
    if (view.kind == SchemaKind::record) add_fields(*view.node, path.empty() ? "" : path + ".", depth);
    if (view.kind == SchemaKind::tuple) {
      std::size_t index = 0;
      for (const Json& element : (*view.node)["prefixItems"]) {
        add(path + "[" + std::to_string(index++) + "]", element, true, depth);
      }
    }
    if (view.kind == SchemaKind::variant) {
      for (const Json& alternative : (*view.node)["oneOf"]) {
        const Json& properties = member_of(alternative, "properties");
        const Json& name = member_of(member_of(properties, "type"), "const");
        if (!name.is_string()) continue;
        add((path.empty() ? "" : path + ".") + "value (" + name.get<std::string>() + ")",
            member_of(properties, "value"), true, depth);
      }
    }
  }

  void go_into_part(const Json& schema, const std::string& path, unsigned depth) {
    go_into(wire::view_of(schema, root_), path, depth + 1);
  }

  void add_fields(const Json& record, const std::string& prefix, unsigned depth) {
    const Json& required = member_of(record, "required");
    for (const auto& [name, schema] : record["properties"].items()) {
      const bool is_required =
          required.is_array() && std::find(required.begin(), required.end(), Json(name)) != required.end();
      add(prefix + name, schema, is_required, depth);
    }
  }

  void add(const std::string& path, const Json& schema, bool required, unsigned depth) {
    cut_ = rows_.size() == kMostRows;
    if (cut_) return;
    const SchemaView view = wire::view_of(schema, root_);
    std::vector<Cell> row = {{"  " + printable(path), Colour::bold}, {type_of(view)}, {required ? "yes" : "no"}};
    if (is_request_) {
      const bool has_default = schema.is_object() && schema.contains("default");
      row.push_back({has_default ? shown(schema["default"]) : "-"});
    }
    rows_.push_back(std::move(row));
    go_into(view, path, depth + 1);
  }

  static std::string shown(const Json& value) {
    return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  const Json& root_;
  const bool is_request_;
  std::vector<std::vector<Cell>> rows_;
  bool cut_ = false;
};

}  // namespace

std::string schema_text(const Json& schema, bool is_request, const Palette& palette) {
  return Fields(schema, is_request).text(palette);
}

std::string shell_word(const std::string& text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string call_line(const std::string& host_options, const std::string& service, const Json& request,
                      const Json& assigns) {
  const auto text = [](const Json& json) {
    return printable_json(json.dump(-1, ' ', false, Json::error_handler_t::replace));
  };
  std::string line = "busbar " + host_options + "call " + shell_word(service) + " " + shell_word(text(request));
  if (!assigns.is_object()) return line;
  for (const auto& [key, value] : assigns.items())
    line += " --assign " + shell_word(printable(key) + "=" + text(value));
  return line;
}

}  // namespace busbar::cli
