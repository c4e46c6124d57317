// Reading a JSON Schema as the SDK writes it: for who compares schemas, and for who shows them to people. `Json` is
// nlohmann::json or nlohmann::ordered_json; never mix them, as the one becomes a copy in the other.
#pragma once

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace busbar::wire {

/// What a part of a JSON Schema asks for, as far as the SDK writes such.
enum class SchemaKind {
  anything,
  nothing,
  boolean,
  integer,
  number,
  text,
  time,
  bytes,
  choice,   ///< one of some texts
  array,    ///< of one type
  tuple,    ///< each element of its own type
  map,      ///< any names, one type
  record,   ///< named fields
  variant,  ///< {"type": NAME, "value": …}
  other,    ///< not understood
};

/// A part of a schema, with what it refers to in its place. Ownership: borrows the schema.
template <class Json>
struct SchemaView {
  const Json* node;
  SchemaKind kind = SchemaKind::other;
  bool nullable = false;
};

/// The member of a JSON object; null where it is no object or has none.
template <class Json>
const Json& member_of(const Json& object, const char* name) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

namespace detail {

inline constexpr int kMostReferences = 16;  // one after the other; more are a ring

/// What `node` refers to, at the end of the chain; null where that is not in the schema.
template <class Json>
const Json* referred(const Json& node, const Json& root) {
  const Json* at = &node;
  for (int i = 0; i < kMostReferences; ++i) {
    const Json& reference = member_of(*at, "$ref");
    if (!reference.is_string()) return at;
    const auto& target = reference.template get_ref<const std::string&>();
    constexpr std::string_view kPlace = "#/$defs/";
    if (!target.starts_with(kPlace)) return nullptr;
    at = &member_of(member_of(root, "$defs"), target.substr(kPlace.size()).c_str());
    if (at->is_null()) return nullptr;
  }
  return nullptr;
}

template <class Json>
bool is_type(const Json& node, const char* name) {
  return member_of(node, "type") == name;
}

template <class Json>
bool is_base64_text(const Json& node) {
  return is_type(node, "string") && member_of(node, "contentEncoding") == "base64";
}

template <class Json>
bool is_bytes_object(const Json& node) {
  return is_type(node, "object") && is_base64_text(member_of(member_of(node, "properties"), "$bytes"));
}

template <class Json>
SchemaKind kind_of_object(const Json& node) {
  if (is_bytes_object(node)) return SchemaKind::bytes;
  if (member_of(node, "properties").is_object()) return SchemaKind::record;
  if (member_of(node, "additionalProperties").is_object()) return SchemaKind::map;
  return SchemaKind::other;
}

template <class Json>
SchemaKind kind_of_typed(const Json& node, std::string_view type) {
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

template <class Json>
bool asks_for_nothing(const Json& node) {
  constexpr std::array<std::string_view, 5> kSilent = {"$schema", "$defs", "title", "description", "default"};
  return std::all_of(node.items().begin(), node.items().end(), [&](const auto& entry) {
    return std::find(kSilent.begin(), kSilent.end(), entry.key()) != kSilent.end();
  });
}

template <class Json>
SchemaKind kind_of(const Json& node) {
  if (node == true) return SchemaKind::anything;
  if (!node.is_object()) return SchemaKind::other;
  if (asks_for_nothing(node)) return SchemaKind::anything;
  if (const Json& type = member_of(node, "type"); type.is_string()) {
    return kind_of_typed(node, type.template get_ref<const std::string&>());
  }
  const Json& all = member_of(node, "anyOf");
  if (all.is_array() && all.size() == 2 && is_bytes_object(all[0]) && is_base64_text(all[1])) return SchemaKind::bytes;
  return member_of(node, "oneOf").is_array() ? SchemaKind::variant : SchemaKind::other;
}

/// The other of two alternatives of which one is null; null where `node` is not like that.
template <class Json>
const Json* value_or_null(const Json& node) {
  const Json& all = member_of(node, "anyOf");
  if (!all.is_array() || all.size() != 2) return nullptr;
  if (is_type(all[1], "null")) return &all[0];
  return is_type(all[0], "null") ? &all[1] : nullptr;
}

template <class Json>
std::string range_text(const Json& node) {
  const Json& least = member_of(node, "minimum");
  const Json& most = member_of(node, "maximum");
  if (!least.is_number() || !most.is_number()) return {};
  return " " + least.dump() + "…" + most.dump();
}

template <class Json>
std::string names_in(const Json& list) {
  constexpr std::size_t kMost = 12;
  std::string out;
  for (std::size_t i = 0; i < std::min(list.size(), kMost); ++i) {
    out += (i == 0 ? "" : ", ") + (list[i].is_string() ? list[i].template get<std::string>() : list[i].dump());
  }
  return list.size() <= kMost ? out : out + " and " + std::to_string(list.size() - kMost) + " more";
}

template <class Json>
std::string kind_text(const SchemaView<Json>& view) {
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

}  // namespace detail

/// Looks at `node`, a part of the schema `root`. Safe for any JSON.
template <class Json>
SchemaView<Json> view_of(const Json& node, const Json& root) {
  using namespace detail;
  const Json* whole = referred(node, root);
  if (whole == nullptr) return {&node};
  const Json* value = value_or_null(*whole);
  if (value == nullptr) return {whole, kind_of(*whole)};
  const Json* inner = referred(*value, root);
  if (inner == nullptr) return {&node};
  return {inner, kind_of(*inner), true};
}

/// "integer 0…255", "text or null", "one of red, green": what it asks for, short. With names as the schema has them,
/// which need not be fit for a terminal.
template <class Json>
std::string to_text(const SchemaView<Json>& view) {
  return detail::kind_text(view) + (view.nullable ? " or null" : "");
}

}  // namespace busbar::wire
