#include "plugins/file/schema_view.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

using nlohmann::json;

namespace {

constexpr int kMostReferences = 16;  // one after the other; more are a ring

/// What `node` refers to, at the end of the chain; null where that is not in the schema.
const json* referred(const json& node, const json& root) {
  const json* at = &node;
  for (int i = 0; i < kMostReferences; ++i) {
    const json& reference = member_of(*at, "$ref");
    if (!reference.is_string()) return at;
    const auto& target = reference.get_ref<const std::string&>();
    constexpr std::string_view kPlace = "#/$defs/";
    if (!target.starts_with(kPlace)) return nullptr;
    at = &member_of(member_of(root, "$defs"), target.substr(kPlace.size()).c_str());
    if (at->is_null()) return nullptr;
  }
  return nullptr;
}

bool is_type(const json& node, const char* name) { return member_of(node, "type") == name; }

bool is_base64_text(const json& node) {
  return is_type(node, "string") && member_of(node, "contentEncoding") == "base64";
}

bool is_bytes_object(const json& node) {
  return is_type(node, "object") && is_base64_text(member_of(member_of(node, "properties"), "$bytes"));
}

SchemaKind kind_of_object(const json& node) {
  if (is_bytes_object(node)) return SchemaKind::bytes;
  if (member_of(node, "properties").is_object()) return SchemaKind::record;
  if (member_of(node, "additionalProperties").is_object()) return SchemaKind::map;
  return SchemaKind::other;
}

SchemaKind kind_of_typed(const json& node, std::string_view type) {
  if (type == "null") return SchemaKind::nothing;
  if (type == "boolean") return SchemaKind::boolean;
  if (type == "integer") return SchemaKind::integer;
  if (type == "number") return SchemaKind::number;
  if (type == "object") return kind_of_object(node);
  if (type == "array") {
    if (member_of(node, "prefixItems").is_array()) return SchemaKind::tuple;
    return node.contains("items") ? SchemaKind::array : SchemaKind::other;
  }
  if (type != "string") return SchemaKind::other;
  if (is_base64_text(node)) return SchemaKind::bytes;
  if (member_of(node, "format") == "date-time") return SchemaKind::time;
  return member_of(node, "enum").is_array() ? SchemaKind::choice : SchemaKind::text;
}

bool asks_for_nothing(const json& node) {
  constexpr std::array<std::string_view, 5> kSilent = {"$schema", "$defs", "title", "description", "default"};
  return std::all_of(node.items().begin(), node.items().end(), [&](const auto& entry) {
    return std::find(kSilent.begin(), kSilent.end(), entry.key()) != kSilent.end();
  });
}

SchemaKind kind_of(const json& node) {
  if (node == true) return SchemaKind::anything;
  if (!node.is_object()) return SchemaKind::other;
  if (asks_for_nothing(node)) return SchemaKind::anything;
  if (const json& type = member_of(node, "type"); type.is_string()) {
    return kind_of_typed(node, type.get_ref<const std::string&>());
  }
  const json& all = member_of(node, "anyOf");
  if (all.is_array() && all.size() == 2 && is_bytes_object(all[0]) && is_base64_text(all[1])) return SchemaKind::bytes;
  return member_of(node, "oneOf").is_array() ? SchemaKind::variant : SchemaKind::other;
}

/// The other of two alternatives of which one is null; null where `node` is not like that.
const json* value_or_null(const json& node) {
  const json& all = member_of(node, "anyOf");
  if (!all.is_array() || all.size() != 2) return nullptr;
  if (is_type(all[1], "null")) return &all[0];
  return is_type(all[0], "null") ? &all[1] : nullptr;
}

std::string range_text(const json& node) {
  const json& least = member_of(node, "minimum");
  const json& most = member_of(node, "maximum");
  if (!least.is_number() || !most.is_number()) return {};
  return " " + least.dump() + "…" + most.dump();
}

std::string names_in(const json& list) {
  std::vector<std::string> names;
  for (const json& name : list)
    names.push_back(name.is_string() ? printable(name.get<std::string>(), 60) : name.dump());
  return in_one_line(names, ", ");
}

std::string kind_text(const SchemaView& view) {
  switch (view.kind) {
    case SchemaKind::anything:
      return "anything";
    case SchemaKind::nothing:
      return "null";
    case SchemaKind::boolean:
      return "true or false";
    case SchemaKind::integer:
      return "integer" + range_text(*view.node);
    case SchemaKind::number:
      return "number";
    case SchemaKind::text:
      return "text";
    case SchemaKind::time:
      return "time";
    case SchemaKind::bytes:
      return "bytes";
    case SchemaKind::choice:
      return "one of " + names_in((*view.node)["enum"]);
    case SchemaKind::array:
      return "array";
    case SchemaKind::tuple:
      return "array of " + std::to_string((*view.node)["prefixItems"].size());
    case SchemaKind::map:
      return "map of any names";
    case SchemaKind::record:
      return "map";
    case SchemaKind::variant:
      return "variant";
    case SchemaKind::other:
      break;
  }
  return "something that is not understood";
}

}  // namespace

const json& member_of(const json& object, const char* name) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

SchemaView view_of(const json& node, const json& root) {
  const json* whole = referred(node, root);
  if (whole == nullptr) return {&node};
  const json* value = value_or_null(*whole);
  if (value == nullptr) return {whole, kind_of(*whole)};
  const json* inner = referred(*value, root);
  if (inner == nullptr) return {&node};
  return {inner, kind_of(*inner), true};
}

std::string to_text(const SchemaView& view) { return kind_text(view) + (view.nullable ? " or null" : ""); }

}  // namespace busbar::host
