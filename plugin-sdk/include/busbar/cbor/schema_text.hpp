// The pieces that a JSON Schema (2020-12) is put together from, as text. Nothing here knows a C++ type of an author's.
#pragma once

#include <cxxabi.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "busbar/cbor/to_json_text.hpp"

namespace busbar::cbor::detail {

inline std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                    &std::free);
  return status == 0 ? name.get() : type.name();
}

/// The last part of a type's name, without the arguments of a template: as a name in a schema.
inline std::string short_type_name(const std::type_info& type) {
  std::string name = type_name(type);
  name.resize(std::min(name.find('<'), name.size()));
  if (const std::size_t scope = name.rfind("::"); scope != std::string::npos) name.erase(0, scope + 2);
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  for (char& c : name) c = is_plain(c) ? c : '_';
  return name.empty() ? "Type" : name;
}

/// `object` with one more member; both are JSON.
[[gnu::cold, gnu::noinline]] inline std::string with_member(std::string object, std::string_view name,
                                                            std::string_view value) {
  const bool first = object.size() == 2;
  object.pop_back();
  if (!first) object += ',';
  return object.append(json_string(name)).append(":").append(value).append("}");
}

inline std::string schema_of_type(std::string_view type) { return with_member("{}", "type", json_string(type)); }

inline std::string integer_schema(const std::string& least, const std::string& most) {
  return with_member(with_member(schema_of_type("integer"), "minimum", least), "maximum", most);
}

inline std::string array_schema(std::string_view items) { return with_member(schema_of_type("array"), "items", items); }

inline std::string of_size(std::string array, std::size_t size) {
  return with_member(with_member(std::move(array), "minItems", std::to_string(size)), "maxItems", std::to_string(size));
}

/// Of {"$bytes": "base64"}; a reader takes base64 text as well.
inline std::string bytes_schema(bool is_read) {
  const std::string text = with_member(schema_of_type("string"), "contentEncoding", "\"base64\"");
  std::string object = with_member(schema_of_type("object"), "properties", with_member("{}", "$bytes", text));
  object = with_member(with_member(std::move(object), "required", "[\"$bytes\"]"), "additionalProperties", "false");
  return is_read ? "{\"anyOf\":[" + object + "," + text + "]}" : object;
}

inline std::string nullable_schema(const std::string& value) {
  return "{\"anyOf\":[" + value + ",{\"type\":\"null\"}]}";
}

/// One alternative of a variant; that of std::monostate may leave its value out.
inline std::string alternative_schema(std::string_view name, const std::string& value, bool has_value) {
  const std::string type = with_member("{}", "const", json_string(name));
  const std::string properties = with_member(with_member("{}", "type", type), "value", value);
  return with_member(with_member(schema_of_type("object"), "properties", properties), "required",
                     has_value ? "[\"type\",\"value\"]" : "[\"type\"]");
}

/// What a duration counts, for people: N / D seconds.
inline std::string unit_name(std::intmax_t numerator, std::intmax_t denominator) {
  struct Unit {
    std::intmax_t numerator, denominator;
    const char* name;
  };
  constexpr Unit kUnits[] = {{1, 1'000'000'000, "nanoseconds"},
                             {1, 1'000'000, "microseconds"},
                             {1, 1'000, "milliseconds"},
                             {1, 1, "seconds"},
                             {60, 1, "minutes"},
                             {3'600, 1, "hours"},
                             {86'400, 1, "days"},
                             {604'800, 1, "weeks"}};
  for (const Unit& unit : kUnits)
    if (unit.numerator == numerator && unit.denominator == denominator) return unit.name;
  return std::to_string(numerator) + "/" + std::to_string(denominator) + " of a second";
}

/// The classes of a schema. It is made in two rounds: the first counts how often each is met; in the second one that is
/// met once stands where it is used, and others, those within themselves among them, in "$defs".
class SchemaClasses {
 public:
  /// Whether the class must be gone through now; if not, `reference` stands for it.
  bool begin(const std::type_info& type) {
    Class& known = of(type);
    if (!writing_) return ++known.met == 1;
    return known.met == 1 || !std::exchange(known.written, true);
  }
  /// What stands for a class that has been gone through.
  std::string end(const std::type_info& type, std::string schema) {
    Class& known = of(type);
    if (known.met == 1) return schema;
    known.schema = std::move(schema);
    return reference(type);
  }
  std::string reference(const std::type_info& type) {
    return with_member("{}", "$ref", json_string("#/$defs/" + of(type).name));
  }

  void begin_writing() noexcept { writing_ = true; }

  /// The whole schema, of which `root` is the outermost part.
  std::string document(std::string root) const {
    std::string definitions = "{}";
    for (const Class& known : all_)
      if (known.met > 1) definitions = with_member(std::move(definitions), known.name, known.schema);
    if (definitions.size() > 2) root = with_member(std::move(root), "$defs", definitions);
    return with_member(std::move(root), "$schema", "\"https://json-schema.org/draft/2020-12/schema\"");
  }

 private:
  struct Class {
    const std::type_info* type;
    std::string name;
    std::string schema;
    unsigned met = 0;
    bool written = false;
  };

  Class& of(const std::type_info& type) {
    for (Class& known : all_)
      if (*known.type == type) return known;
    const std::string name = short_type_name(type);
    std::string unique = name;
    for (unsigned i = 2; has(unique); ++i) unique = name + "_" + std::to_string(i);
    return all_.emplace_back(Class{&type, unique, {}});
  }
  bool has(std::string_view name) const {
    for (const Class& known : all_)
      if (known.name == name) return true;
    return false;
  }

  std::vector<Class> all_;
  bool writing_ = false;
};

}  // namespace busbar::cbor::detail
