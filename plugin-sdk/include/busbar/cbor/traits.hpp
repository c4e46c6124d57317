// Which row of the mapping a C++ type belongs to.
#pragma once

#include <array>
#include <cereal/access.hpp>
#include <cereal/cereal.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "busbar/cbor/names.hpp"

namespace busbar::cbor {

/// A type's own way into payloads, for types that no row of the mapping fits. A specialisation has
///   static void write(ByteSink&, const T&, unsigned depth);             writes one item
///   static T read(std::span<const std::uint8_t> item, unsigned depth);  reads one well-formed item, or throws Unfit
///   static constexpr const char* kind();                                what `expected` says when it is missing
/// `depth` is the number of arrays and maps that are open around the item.
template <class T>
struct Codec {};

namespace detail {

template <class T>
concept HasCodec = requires {
  Codec<T>::kind();
};

template <class T>
concept HasEnumNames = std::is_enum_v<T> && requires {
  enum_names<T>::list();
};

template <class T>
concept HasVariantName = requires {
  variant_name<T>::get();
};

// -- what a class's author wrote for cereal. `A` is the archive; cereal::access sees private members.

template <class A, class T>
concept MemberSerialize = requires(A& a, T& t) {
  cereal::access::member_serialize(a, t);
};
template <class A, class T>
concept MemberSerializeVersioned = requires(A& a, T& t) {
  cereal::access::member_serialize(a, t, 0u);
};
template <class A, class T>
concept FreeSerialize = requires(A& a, T& t) {
  serialize(a, t);
};
template <class A, class T>
concept FreeSerializeVersioned = requires(A& a, T& t, std::uint32_t v) {
  serialize(a, t, v);
};

template <class A, class T>
concept MemberSave = requires(A& a, const T& t) {
  cereal::access::member_save(a, t);
};
template <class A, class T>
concept MemberSaveVersioned = requires(A& a, const T& t) {
  cereal::access::member_save(a, t, 0u);
};
template <class A, class T>
concept FreeSave = requires(A& a, const T& t) {
  save(a, t);
};
template <class A, class T>
concept FreeSaveVersioned = requires(A& a, const T& t, std::uint32_t v) {
  save(a, t, v);
};

template <class A, class T>
concept MemberLoad = requires(A& a, T& t) {
  cereal::access::member_load(a, t);
};
template <class A, class T>
concept MemberLoadVersioned = requires(A& a, T& t) {
  cereal::access::member_load(a, t, 0u);
};
template <class A, class T>
concept FreeLoad = requires(A& a, T& t) {
  load(a, t);
};
template <class A, class T>
concept FreeLoadVersioned = requires(A& a, T& t, std::uint32_t v) {
  load(a, t, v);
};

template <class A, class T>
concept Serializes =
    MemberSerialize<A, T> || MemberSerializeVersioned<A, T> || FreeSerialize<A, T> || FreeSerializeVersioned<A, T>;
template <class A, class T>
concept Saves = MemberSave<A, T> || MemberSaveVersioned<A, T> || FreeSave<A, T> || FreeSaveVersioned<A, T>;
template <class A, class T>
concept Loads = MemberLoad<A, T> || MemberLoadVersioned<A, T> || FreeLoad<A, T> || FreeLoadVersioned<A, T>;

/// Whether the archive can go through the members of a class.
template <class A, class T>
concept Described = std::is_class_v<T> &&(Serializes<A, T> || (A::is_saving::value ? Saves<A, T> : Loads<A, T>));

/// Hands the archive to the class's serialize, save or load. Versions are always 0: a payload names its fields instead.
template <class A, class T>
void visit_members(A& archive, T& object) {
  if constexpr (MemberSerialize<A, T>) {
    cereal::access::member_serialize(archive, object);
  } else if constexpr (MemberSerializeVersioned<A, T>) {
    cereal::access::member_serialize(archive, object, 0u);
  } else if constexpr (FreeSerialize<A, T>) {
    serialize(archive, object);
  } else if constexpr (FreeSerializeVersioned<A, T>) {
    serialize(archive, object, std::uint32_t{0});
  } else if constexpr (A::is_saving::value) {
    if constexpr (MemberSave<A, T>) {
      cereal::access::member_save(archive, object);
    } else if constexpr (MemberSaveVersioned<A, T>) {
      cereal::access::member_save(archive, object, 0u);
    } else if constexpr (FreeSave<A, T>) {
      save(archive, std::as_const(object));
    } else {
      save(archive, std::as_const(object), std::uint32_t{0});
    }
  } else {
    if constexpr (MemberLoad<A, T>) {
      cereal::access::member_load(archive, object);
    } else if constexpr (MemberLoadVersioned<A, T>) {
      cereal::access::member_load(archive, object, 0u);
    } else if constexpr (FreeLoad<A, T>) {
      load(archive, object);
    } else {
      load(archive, object, std::uint32_t{0});
    }
  }
}

// -- the arguments of `ar(…)`

template <class T>
struct NamedValue : std::false_type {};
template <class T>
struct NamedValue<cereal::NameValuePair<T>> : std::true_type {};

template <class T>
struct DefaultedField : std::false_type {};
template <class T>
struct DefaultedField<Field<T>> : std::true_type {};

// For a base with virtual functions cereal's own wrapper wants its registry of polymorphic types, which keeps a plugin
// in memory; such a base is visited with Base::serialize(ar), which does the same.
template <class T>
struct BaseClass : std::false_type {};
template <class T>
struct BaseClass<cereal::base_class<T>> : std::true_type {};
template <class T>
struct BaseClass<cereal::virtual_base_class<T>> : std::true_type {};

// -- rows of the mapping

template <class T>
struct OptionalValue : std::false_type {};
template <class T>
struct OptionalValue<std::optional<T>> : std::true_type {
  using type = T;
};
template <class T, class D>
struct OptionalValue<std::unique_ptr<T, D>> : std::bool_constant<!std::is_polymorphic_v<T>> {
  using type = T;
};
template <class T, class D>
struct OptionalValue<std::unique_ptr<T[], D>> : std::false_type {};

template <class T>
struct TimePoint : std::false_type {};
template <class D>
struct TimePoint<std::chrono::time_point<std::chrono::system_clock, D>> : std::true_type {};

template <class T>
struct Duration : std::false_type {};
template <class R, class P>
struct Duration<std::chrono::duration<R, P>> : std::true_type {};

template <class T>
struct Variant : std::false_type {};
template <class... T>
struct Variant<std::variant<T...>> : std::true_type {};

template <class T>
struct PointerLike : std::is_pointer<T> {};
template <class T>
struct PointerLike<std::shared_ptr<T>> : std::true_type {};
template <class T>
struct PointerLike<std::weak_ptr<T>> : std::true_type {};
template <class T, class D>
struct PointerLike<std::unique_ptr<T, D>> : std::true_type {};

template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
}
&&!requires(T & t) { t.data(); };

template <class T>
concept FixedArray = std::is_bounded_array_v<T> ||(
    requires { std::tuple_size<T>::value; } && requires(T & t) { t.data(); });

template <class T>
concept Container = requires(T& t) {
  typename T::value_type;
  t.begin();
  t.end();
  t.clear();
};

template <class T>
concept TextLike = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;

template <class T>
concept MapLike = Container<T> && requires {
  typename T::key_type;
  typename T::mapped_type;
};

template <class T>
concept ByteVector = std::is_same_v<T, std::vector<std::byte>> || std::is_same_v<T, std::vector<std::uint8_t>>;

enum class Kind {
  codec,
  boolean,
  integer,
  number,
  named_enum,
  plain_enum,
  text,
  bytes,
  optional,
  structure,
  time_point,
  duration,
  variant,
  nothing,
  tuple,
  fixed_array,
  map,
  array,
  pointer,
  unknown
};

/// The row of the mapping for a type, as the archive sees it.
template <class A, class T>
constexpr Kind kind_of() {
  if constexpr (HasCodec<T>) {
    return Kind::codec;
  } else if constexpr (std::is_same_v<T, bool>) {
    return Kind::boolean;
  } else if constexpr (std::is_integral_v<T>) {
    return Kind::integer;
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return Kind::number;
  } else if constexpr (std::is_enum_v<T>) {
    return HasEnumNames<T> ? Kind::named_enum : Kind::plain_enum;
  } else if constexpr (TextLike<T>) {
    return Kind::text;
  } else if constexpr (ByteVector<T>) {
    return Kind::bytes;
  } else if constexpr (OptionalValue<T>::value) {
    return Kind::optional;
  } else if constexpr (PointerLike<T>::value) {
    return Kind::pointer;
  } else if constexpr (TimePoint<T>::value) {
    return Kind::time_point;
  } else if constexpr (Duration<T>::value) {
    return Kind::duration;
  } else if constexpr (Variant<T>::value) {
    return Kind::variant;
  } else if constexpr (std::is_same_v<T, std::monostate>) {
    return Kind::nothing;
  } else if constexpr (FixedArray<T>) {
    return Kind::fixed_array;
  } else if constexpr (TupleLike<T>) {
    return Kind::tuple;
  } else if constexpr (Described<A, T>) {
    return Kind::structure;
  } else if constexpr (MapLike<T>) {
    return Kind::map;
  } else if constexpr (Container<T>) {
    return Kind::array;
  } else {
    return Kind::unknown;
  }
}

/// What `expected` calls a type.
template <class A, class T>
constexpr const char* expected_name() {
  if constexpr (HasCodec<T>) return Codec<T>::kind();
  switch (kind_of<A, T>()) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
    case Kind::plain_enum:
    case Kind::duration:
      return "integer";
    case Kind::number:
      return "number";
    case Kind::text:
    case Kind::named_enum:
      return "text";
    case Kind::bytes:
      return "bytes, or base64 text";
    case Kind::time_point:
      return "time, as RFC 3339 text";
    case Kind::structure:
    case Kind::map:
    case Kind::variant:
      return "map";
    case Kind::tuple:
    case Kind::fixed_array:
    case Kind::array:
      return "array";
    case Kind::nothing:
      return "null";
    default:
      return "anything";
  }
}

/// Stops the compilation for a type that has no place in payloads, saying why.
template <class A, class T>
constexpr void expect_mapped() {
  constexpr Kind kKind = kind_of<A, T>();
  static_assert(
      kKind != Kind::pointer,
      "busbar: a pointer cannot be in a payload: use the value, std::optional, or a std::unique_ptr to a type "
      "without virtual functions");
  static_assert(kKind != Kind::unknown || !std::is_same_v<T, long double>,
                "busbar: long double has no place in payloads: use double");
  static_assert(
      kKind != Kind::unknown || !std::is_class_v<T>,
      "busbar: this class has no place in payloads: give it a serialize function (or save and load) that takes "
      "any archive and names its fields, as in ar(CEREAL_NVP(name)); a private one needs friend class cereal::access");
  static_assert(kKind != Kind::unknown || std::is_class_v<T> || std::is_same_v<T, long double>,
                "busbar: this type has no place in payloads: see the table of types in the documentation");
  if constexpr (kKind == Kind::map)
    static_assert(std::is_same_v<typename T::key_type, std::string>,
                  "busbar: the keys of a map in a payload are text: use std::string");
}

}  // namespace detail
}  // namespace busbar::cbor
