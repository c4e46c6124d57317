// The names that an author gives: fields with a default, enumerators, alternatives of a variant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace busbar {

/// A field that a payload may leave out; what `field` makes.
template <class T>
struct Field {
  const char* name;
  T& value;
  std::remove_const_t<T> default_value;
};

/// Names a field that becomes `default_value` when the payload does not have it. It is always written.
/// Example: ar(busbar::field("retries", retries, 3));
template <class T>
auto field(const char* name, T& value, std::type_identity_t<std::remove_const_t<T>> default_value) {
  return Field<T>{name, value, std::move(default_value)};
}

/// An enumerator and its name in payloads.
template <class E>
struct EnumName {
  E value;
  std::string_view name;
};

/// The names of an enum's values: a static function `list()` that returns a std::array of EnumName. BUSBAR_ENUM writes
/// what this looks for; an enum that cannot be given one may have a specialisation.
template <class E>
struct enum_names {};

template <class E>
requires requires(E* e) { busbar_enum_names(e); }
struct enum_names<E> {
  static constexpr auto list() { return busbar_enum_names(static_cast<E*>(nullptr)); }
};

/// What an alternative of a std::variant is called in payloads: a static function `get()` that returns a string_view.
/// Basic types have one ("bool", "int8" … "uint64", "float", "double", "text", "bytes", "none" for std::monostate);
/// for others there is BUSBAR_VARIANT_NAME, or a specialisation.
template <class T>
struct variant_name {};

template <class T>
requires requires(T* t) { busbar_variant_name(t); }
struct variant_name<T> {
  static constexpr std::string_view get() { return busbar_variant_name(static_cast<T*>(nullptr)); }
};

template <>
struct variant_name<std::monostate> {
  static constexpr std::string_view get() { return "none"; }
};
template <>
struct variant_name<bool> {
  static constexpr std::string_view get() { return "bool"; }
};
template <>
struct variant_name<float> {
  static constexpr std::string_view get() { return "float"; }
};
template <>
struct variant_name<double> {
  static constexpr std::string_view get() { return "double"; }
};
template <>
struct variant_name<std::string> {
  static constexpr std::string_view get() { return "text"; }
};
template <>
struct variant_name<std::vector<std::byte>> {
  static constexpr std::string_view get() { return "bytes"; }
};
template <>
struct variant_name<std::vector<std::uint8_t>> {
  static constexpr std::string_view get() { return "bytes"; }
};
template <class T>
requires std::is_integral_v<T>
struct variant_name<T> {
  static constexpr std::string_view get() {
    constexpr bool kSigned = std::is_signed_v<T>;
    if (sizeof(T) == 1) return kSigned ? "int8" : "uint8";
    if (sizeof(T) == 2) return kSigned ? "int16" : "uint16";
    if (sizeof(T) == 4) return kSigned ? "int32" : "uint32";
    return kSigned ? "int64" : "uint64";
  }
};

}  // namespace busbar

// BUSBAR_ENUM(Color, red, green) makes payloads carry Color's values by name. At namespace scope, in the namespace of
// the enum (for one inside a class: of the class, as BUSBAR_ENUM(Shape::Color, red, green)). Up to 64 names.
#define BUSBAR_ENUM(Type, ...)                                                                            \
  [[maybe_unused]] constexpr auto busbar_enum_names(Type*) {                                              \
    using BusbarEnum = Type;                                                                              \
    return ::std::to_array<::busbar::EnumName<BusbarEnum>>({BUSBAR_DETAIL_EACH_ENUMERATOR(__VA_ARGS__)}); \
  }                                                                                                       \
  static_assert(true)

// BUSBAR_VARIANT_NAME(Circle, "circle") names an alternative of a variant. At namespace scope, in the type's namespace.
#define BUSBAR_VARIANT_NAME(Type, name)                                                     \
  [[maybe_unused]] constexpr ::std::string_view busbar_variant_name(Type*) { return name; } \
  static_assert(true)

// The preprocessor does not recurse; reading its own output again, four times over each time, makes it do 64 rounds.
#define BUSBAR_DETAIL_PARENTHESES ()
#define BUSBAR_DETAIL_SCAN(...) \
  BUSBAR_DETAIL_SCAN3(BUSBAR_DETAIL_SCAN3(BUSBAR_DETAIL_SCAN3(BUSBAR_DETAIL_SCAN3(__VA_ARGS__))))
#define BUSBAR_DETAIL_SCAN3(...) \
  BUSBAR_DETAIL_SCAN2(BUSBAR_DETAIL_SCAN2(BUSBAR_DETAIL_SCAN2(BUSBAR_DETAIL_SCAN2(__VA_ARGS__))))
#define BUSBAR_DETAIL_SCAN2(...) \
  BUSBAR_DETAIL_SCAN1(BUSBAR_DETAIL_SCAN1(BUSBAR_DETAIL_SCAN1(BUSBAR_DETAIL_SCAN1(__VA_ARGS__))))
#define BUSBAR_DETAIL_SCAN1(...) __VA_ARGS__
#define BUSBAR_DETAIL_EACH_ENUMERATOR(...) __VA_OPT__(BUSBAR_DETAIL_SCAN(BUSBAR_DETAIL_ENUMERATOR(__VA_ARGS__)))
#define BUSBAR_DETAIL_ENUMERATOR(name, ...) \
  {BusbarEnum::name, #name}, __VA_OPT__(BUSBAR_DETAIL_ENUMERATOR_AGAIN BUSBAR_DETAIL_PARENTHESES(__VA_ARGS__))
#define BUSBAR_DETAIL_ENUMERATOR_AGAIN() BUSBAR_DETAIL_ENUMERATOR
