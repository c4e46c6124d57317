// The JSON Schema (2020-12) of a C++ type, from what its `serialize` names; and checking a type before any value of it
// travels.
#pragma once

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "busbar/cbor/output.hpp"
#include "busbar/cbor/schema_text.hpp"
#include "busbar/cbor/text.hpp"
#include "busbar/cbor/traits.hpp"

namespace busbar::cbor {
namespace detail {

/// What is thrown of a type that cannot be in a payload; its own type, to tell it from what a class's own functions
/// throw.
class ShapeError : public std::logic_error {
 public:
  ShapeError(const std::type_info& type, const std::string& what)
      : std::logic_error("type \"" + type_name(type) + "\" cannot be in a payload: " + what) {}
};

/// An archive that moves no values: it looks at what a class names, and at the types of it, and says them as a schema.
/// Loading: of what is read into the type; else of what is written from it.
template <bool Loading>
class SchemaArchive {
 public:
  using is_loading = std::bool_constant<Loading>;
  using is_saving = std::bool_constant<!Loading>;

  /// Errors: ShapeError.
  template <class T>
  std::string whole() {
    value<T>();
    classes_.begin_writing();
    return classes_.document(value<T>());
  }

  /// The names of the fields of a T itself; none where it is no class.
  /// Errors: as above.
  template <class T>
  std::vector<std::string> fields() {
    if constexpr (kind_of<SchemaArchive, T>() == Kind::structure) value<T>();
    return std::move(last_named_);
  }

  template <class... T>
  SchemaArchive& operator()(T&&... items) {
    (item(items), ...);
    return *this;
  }
  template <class T>
  SchemaArchive& operator&(T&& value) {
    return (*this)(value);
  }
  template <class T>
  SchemaArchive& operator<<(T&& value) {
    return (*this)(value);
  }
  template <class T>
  SchemaArchive& operator>>(T&& value) {
    return (*this)(value);
  }

 private:
  /// A class that is being looked at.
  struct Open {
    Open* outer;
    const std::type_info& type;
    std::vector<std::string> names;
    std::string properties = "{}";
    std::string required;

    std::string schema() const {
      const std::string object = with_member(schema_of_type("object"), "properties", properties);
      return required.empty() ? object : with_member(object, "required", "[" + required + "]");
    }
  };

  template <class T>
  std::string value() {
    expect_mapped<SchemaArchive, T>();
    constexpr Kind kKind = kind_of<SchemaArchive, T>();
    if constexpr (kKind == Kind::codec) {
      return codec<T>();
    } else if constexpr (kKind == Kind::boolean) {
      return schema_of_type("boolean");
    } else if constexpr (kKind == Kind::integer) {
      return integer_schema(std::to_string(std::numeric_limits<T>::min()),
                            std::to_string(std::numeric_limits<T>::max()));
    } else if constexpr (kKind == Kind::number) {
      return schema_of_type("number");
    } else if constexpr (kKind == Kind::named_enum) {
      return named_enum<T>();
    } else if constexpr (kKind == Kind::plain_enum) {
      return value<std::underlying_type_t<T>>();
    } else if constexpr (kKind == Kind::text) {
      return schema_of_type("string");
    } else if constexpr (kKind == Kind::bytes) {
      return bytes_schema(Loading);
    } else if constexpr (kKind == Kind::optional) {
      return nullable_schema(value<typename OptionalValue<T>::type>());
    } else if constexpr (kKind == Kind::structure) {
      return structure<T>();
    } else if constexpr (kKind == Kind::time_point) {
      return with_member(schema_of_type("string"), "format", "\"date-time\"");
    } else if constexpr (kKind == Kind::duration) {
      return with_member(value<typename T::rep>(), "description",
                         json_string(unit_name(T::period::num, T::period::den)));
    } else if constexpr (kKind == Kind::variant) {
      return "{\"oneOf\":[" + alternatives(static_cast<T*>(nullptr)) + "]}";
    } else if constexpr (kKind == Kind::nothing) {
      return schema_of_type("null");
    } else if constexpr (kKind == Kind::tuple) {
      return of_size(with_member(schema_of_type("array"), "prefixItems", "[" + each(static_cast<T*>(nullptr)) + "]"),
                     std::tuple_size_v<T>);
    } else if constexpr (kKind == Kind::fixed_array) {
      return fixed_array<T>();
    } else if constexpr (kKind == Kind::map) {
      return with_member(schema_of_type("object"), "additionalProperties", value<typename T::mapped_type>());
    } else if constexpr (kKind == Kind::array) {
      return array_schema(value<typename T::value_type>());
    } else {
      return {};  // expect_mapped has stopped the compilation
    }
  }

  /// A codec may have a `static std::string schema()`, the JSON text of one.
  template <class T>
  std::string codec() {
    if constexpr (requires { Codec<T>::schema(); }) {
      return Codec<T>::schema();
    } else {
      const std::string_view kind = Codec<T>::kind();
      return kind == "anything" ? "{}" : with_member("{}", "description", json_string(kind));
    }
  }

  template <class E>
  std::string named_enum() {
    std::string names;
    for (const auto& entry : enum_names<E>::list()) add(names, json_string(entry.name));
    return with_member(schema_of_type("string"), "enum", "[" + names + "]");
  }

  template <class T>
  std::string fixed_array() {
    using Value = std::remove_cvref_t<decltype(*std::begin(std::declval<T&>()))>;
    if constexpr (std::is_bounded_array_v<T>) {
      return of_size(array_schema(value<Value>()), std::extent_v<T>);
    } else {
      return of_size(array_schema(value<Value>()), std::tuple_size_v<T>);
    }
  }

  template <template <class...> class List, class... T>
  std::string each(List<T...>*) {
    std::string schemas;
    (add(schemas, value<T>()), ...);
    return schemas;
  }

  template <class... T>
  std::string alternatives(std::variant<T...>*) {
    static_assert((HasVariantName<T> && ...),
                  "busbar: an alternative of a std::variant has no name for payloads: see BUSBAR_VARIANT_NAME");
    std::string schemas;
    (add(schemas, alternative_schema(variant_name<T>::get(), value<T>(), !std::is_same_v<T, std::monostate>)), ...);
    return schemas;
  }

  static void add(std::string& list, const std::string& element) {
    if (!list.empty()) list += ',';
    list += element;
  }

  template <class T>
  void item(const T& argument) {
    if constexpr (NamedValue<T>::value) {
      using Value = std::remove_cvref_t<decltype(argument.value)>;
      if constexpr (BaseClass<Value>::value) {
        item(argument.value);
      } else {
        named(argument.name, value_of_field<Value>(argument.name), kind_of<SchemaArchive, Value>() != Kind::optional);
      }
    } else if constexpr (DefaultedField<T>::value) {
      std::string schema = value_of_field<std::remove_cvref_t<decltype(argument.value)>>(argument.name);
      if constexpr (Loading) {
        schema = with_default(std::move(schema), argument.default_value);
      }
      named(argument.name, schema, !Loading);  // it is always written
    } else if constexpr (BaseClass<T>::value) {
      visit_members(*this, *argument.base_ptr);
    } else {
      throw ShapeError(open_->type, "its serialize function does not name a field of type \"" + type_name(typeid(T)) +
                                        "\"; expected ar(CEREAL_NVP(field))");
    }
  }

  template <class T>
  std::string value_of_field(std::string_view name) {
    std::vector<std::string>& names = open_->names;
    if (!is_utf8(name.data(), name.size())) throw ShapeError(open_->type, "the name of a field is not valid UTF-8");
    if (std::find(names.begin(), names.end(), name) != names.end())
      throw ShapeError(open_->type, "it names field \"" + std::string(name) + "\" twice");
    names.emplace_back(name);
    return value<T>();
  }

  void named(std::string_view name, const std::string& schema, bool required) {
    open_->properties = with_member(std::move(open_->properties), name, schema);
    if (required) add(open_->required, json_string(name));
  }

  template <class T>
  static std::string with_default(std::string schema, const T& value) {
    try {
      ByteSink sink;
      encode(value, sink);
      const std::string text = to_json_text(sink.take());  // may throw: before the schema is given away
      return with_member(std::move(schema), "default", text);
    } catch (const std::exception&) {
      return schema;  // a number that is not finite, say: JSON cannot name it
    }
  }

  template <class T>
  std::string structure() {
    static_assert(std::is_default_constructible_v<T>,
                  "busbar: a type that payloads are read into needs a default constructor");
    if (!classes_.begin(typeid(T))) return classes_.reference(typeid(T));
    Open open{open_, typeid(T), {}, "{}", {}};
    open_ = &open;
    try {
      T object{};
      visit_members(*this, object);
    } catch (const ShapeError&) {
      throw;
    } catch (...) {
      // The class looks at its values, and does not like those that nobody has read. What it has named so far is true,
      // but which fields it needs depends.
      open.required.clear();
    }
    open_ = open.outer;
    last_named_ = std::move(open.names);
    return classes_.end(typeid(T), open.schema());
  }

  SchemaClasses classes_;
  Open* open_ = nullptr;
  std::vector<std::string> last_named_;  // of the class that was gone through last: the outermost, at the end
};

}  // namespace detail

/// The JSON Schema of what is read into a T, as JSON. Fields that T does not name are allowed, as they are ignored.
/// Makes objects with their default constructors and hands them to serialize (or load).
/// Errors: std::logic_error that names a type which cannot be in a payload.
template <class T>
std::string request_schema() {
  return detail::SchemaArchive<true>().template whole<T>();
}

/// The JSON Schema of what is written from a T (by serialize, or save). Otherwise as above.
template <class T>
std::string response_schema() {
  return detail::SchemaArchive<false>().template whole<T>();
}

/// The names of the fields that a T is read from; none where it is no class: then they are not known, or there are
/// none. Errors: as above.
template <class T>
std::vector<std::string> request_fields() {
  return detail::SchemaArchive<true>().template fields<T>();
}

/// Checks that T can be a payload, as far as the compiler cannot: every class in it names its fields, none twice.
/// Errors: as above.
template <class T>
void check_shape() {
  request_schema<T>();
  response_schema<T>();
}

}  // namespace busbar::cbor
