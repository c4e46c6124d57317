#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace busbar::host {

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
struct SchemaView {
  const nlohmann::json* node;
  SchemaKind kind = SchemaKind::other;
  bool nullable = false;
};

/// Looks at `node`, a part of the schema `root`. Safe for any JSON.
SchemaView view_of(const nlohmann::json& node, const nlohmann::json& root);

/// "integer 0…255", "text or null", "one of red, green": what it asks for, for people, short.
std::string to_text(const SchemaView& view);

/// The member of a JSON object; null where it is no object or has none.
const nlohmann::json& member_of(const nlohmann::json& object, const char* name);

}  // namespace busbar::host
