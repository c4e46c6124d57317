// C++ values to CBOR.
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>

#include "busbar/cbor/errors.hpp"
#include "busbar/cbor/sink.hpp"
#include "busbar/cbor/text.hpp"
#include "busbar/cbor/time.hpp"
#include "busbar/cbor/traits.hpp"

namespace busbar::cbor {

/// Writes values as CBOR. A model of cereal's output archive, so that a class's serialize function works with it, but
/// nothing of cereal's is inside: the types choose their own shape (docs: interfaces, "Payloads").
/// Ownership: borrows the sink.
/// Threads: one at a time.
/// Errors: EncodeError for a value that a payload cannot carry; std::logic_error for a class that does not name a
/// field;
///   std::bad_alloc. The sink then holds part of an item.
/// Example: ByteSink sink; OutputArchive ar(sink); ar(order);
class OutputArchive {
 public:
  using is_loading = std::false_type;
  using is_saving = std::true_type;

  explicit OutputArchive(ByteSink& sink, unsigned depth = 0) noexcept : sink_(sink), depth_(depth) {}
  OutputArchive(const OutputArchive&) = delete;
  OutputArchive& operator=(const OutputArchive&) = delete;

  template <class... T>
  [[gnu::always_inline]] OutputArchive& operator()(T&&... items) {
    (item(items), ...);
    return *this;
  }
  template <class T>
  [[gnu::always_inline]] OutputArchive& operator&(T&& value) {
    return (*this)(value);
  }
  template <class T>
  [[gnu::always_inline]] OutputArchive& operator<<(T&& value) {
    return (*this)(value);
  }

 private:
  static constexpr std::uint64_t kOutsideOfStruct = ~std::uint64_t{0};

  template <class T>
  static constexpr detail::Kind kind = detail::kind_of<OutputArchive, T>();

  // -- arguments of ar(…)

  template <class T>
  [[gnu::always_inline]] void item(const T& argument) {
    if constexpr (detail::NamedValue<T>::value) {
      using Value = std::remove_cvref_t<decltype(argument.value)>;
      if constexpr (detail::BaseClass<Value>::value) {
        item(argument.value);
      } else {
        named(argument.name, std::char_traits<char>::length(argument.name), argument.value);
      }
    } else if constexpr (detail::DefaultedField<T>::value) {
      named(argument.name, std::char_traits<char>::length(argument.name), argument.value);
    } else if constexpr (detail::BaseClass<T>::value) {
      detail::visit_members(*this, *argument.base_ptr);  // its fields join those of the derived class
    } else {
      if (fields_ != kOutsideOfStruct) unnamed(typeid(T).name());
      write(argument);
    }
  }

  /// A field: key and value with one check of the room, where their size is known before.
  template <class T>
  [[gnu::always_inline]] void named(const char* name, std::size_t size, const T& value) {
    using detail::Kind;
    constexpr Kind kKind = kind<T>;
    if constexpr (kKind == Kind::optional) {
      if (value) named(name, size, *value);
    } else if constexpr (kKind == Kind::boolean || kKind == Kind::integer || kKind == Kind::number) {
      ++fields_;
      std::uint8_t* to = sink_.reserve(size + 2 * detail::kMaxHead);
      sink_.advance_to(put_scalar(put_key(to, name, size), value));
    } else if constexpr (kKind == Kind::text) {
      ++fields_;
      if (!detail::is_utf8(value.data(), value.size())) [[unlikely]]
        not_utf8(name);
      std::uint8_t* to = sink_.reserve(size + value.size() + 2 * detail::kMaxHead);
      sink_.advance_to(put_text(put_key(to, name, size), value));
    } else {
      ++fields_;
      sink_.advance_to(put_key(sink_.reserve(size + detail::kMaxHead), name, size));
      write(value);
    }
  }

  // -- pieces, written to room that was reserved

  [[gnu::always_inline]] static std::uint8_t* put_key(std::uint8_t* to, const char* name, std::size_t size) {
    to = detail::put_head(to, detail::kText, size);
    std::memcpy(to, name, size);
    return to + size;
  }

  [[gnu::always_inline]] static std::uint8_t* put_text(std::uint8_t* to, std::string_view text) {
    to = detail::put_head(to, detail::kText, text.size());
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    return to + text.size();
  }

  template <class T>
  [[gnu::always_inline]] static std::uint8_t* put_scalar(std::uint8_t* to, T value) {
    if constexpr (std::is_same_v<T, bool>) {
      *to = value ? detail::kTrue : detail::kFalse;
      return to + 1;
    } else if constexpr (std::is_same_v<T, double>) {
      *to = detail::kDouble;
      return detail::put_number(to + 1, std::bit_cast<std::uint64_t>(value));
    } else if constexpr (std::is_same_v<T, float>) {
      *to = detail::kFloat;
      return detail::put_number(to + 1, std::bit_cast<std::uint32_t>(value));
    } else if constexpr (std::is_signed_v<T>) {
      // A negative n is written as -1 - n, which is its complement.
      const auto bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
      return value < 0 ? detail::put_head(to, detail::kNegative, ~bits) : detail::put_head(to, detail::kUnsigned, bits);
    } else {
      return detail::put_head(to, detail::kUnsigned, static_cast<std::uint64_t>(value));
    }
  }

  // -- whole values

  template <class T>
  void write(const T& value) {
    using detail::Kind;
    detail::expect_mapped<OutputArchive, T>();
    constexpr Kind kKind = kind<T>;
    if constexpr (kKind == Kind::boolean || kKind == Kind::integer || kKind == Kind::number) {
      sink_.advance_to(put_scalar(sink_.reserve(detail::kMaxHead), value));
    } else if constexpr (kKind == Kind::text) {
      write_text(value);
    } else if constexpr (kKind == Kind::structure) {
      write_struct(value);
    } else if constexpr (kKind == Kind::array || kKind == Kind::fixed_array) {
      write_array(value);
    } else if constexpr (kKind == Kind::map) {
      write_map(value);
    } else if constexpr (kKind == Kind::tuple) {
      write_tuple(value);
    } else if constexpr (kKind == Kind::optional) {
      value ? write(*value) : detail::write_byte(sink_, detail::kNull);
    } else if constexpr (kKind == Kind::bytes) {
      detail::write_head(sink_, detail::kBytes, value.size());
      sink_.append(value.data(), value.size());
    } else if constexpr (kKind == Kind::named_enum) {
      write_enum(value);
    } else if constexpr (kKind == Kind::plain_enum) {
      write(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (kKind == Kind::duration) {
      write(value.count());
    } else if constexpr (kKind == Kind::time_point) {
      write_time(value);
    } else if constexpr (kKind == Kind::variant) {
      write_variant(value);
    } else if constexpr (kKind == Kind::nothing) {
      detail::write_byte(sink_, detail::kNull);
    } else if constexpr (kKind == Kind::codec) {
      Codec<T>::write(sink_, value, depth_);
    }
  }

  void write_text(std::string_view text) {
    if (!detail::is_utf8(text.data(), text.size())) [[unlikely]]
      not_utf8(nullptr);
    sink_.advance_to(put_text(sink_.reserve(text.size() + detail::kMaxHead), text));
  }

  template <class T>
  void write_struct(const T& value) {
    enter();
    // The count goes into the head afterwards: how many fields there are shows only when all were visited.
    const std::size_t head = sink_.size();
    detail::write_byte(sink_, detail::kMap);
    const std::uint64_t outer = fields_;
    fields_ = 0;
    detail::visit_members(*this, const_cast<T&>(value));  // serialize is not const, but only reads for this archive
    detail::patch_head(sink_, head, detail::kMap, fields_);
    fields_ = outer;
    --depth_;
  }

  template <class T>
  void write_array(const T& values) {
    enter();
    detail::write_head(sink_, detail::kArray,
                       static_cast<std::uint64_t>(std::distance(std::begin(values), std::end(values))));
    for (const auto& value : values) write<typename std::remove_cvref_t<decltype(*std::begin(values))>>(value);
    --depth_;
  }

  // The bits of a vector<bool> are no objects of their own.
  void write_array(const std::vector<bool>& values) {
    enter();
    detail::write_head(sink_, detail::kArray, values.size());
    for (const bool value : values) write(value);
    --depth_;
  }

  template <class T>
  void write_tuple(const T& values) {
    enter();
    detail::write_head(sink_, detail::kArray, std::tuple_size_v<T>);
    std::apply([this](const auto&... value) { (this->write(value), ...); }, values);
    --depth_;
  }

  template <class T>
  void write_map(const T& values) {
    enter();
    detail::write_head(sink_, detail::kMap, values.size());
    for (const auto& [key, value] : values) {
      write_text(key);
      write(value);
    }
    --depth_;
  }

  template <class E>
  void write_enum(E value) {
    for (const auto& entry : enum_names<E>::list())
      if (entry.value == value) return write_text(entry.name);
    throw EncodeError("could not write an enum to a payload: expected a value that has a name, found " +
                      std::to_string(static_cast<std::underlying_type_t<E>>(value)));
  }

  template <class T>
  void write_time(const T& time) {
    char text[detail::kMaxTimeText];
    const char* end = detail::put_time(text, time);
    if (end == nullptr) throw EncodeError("could not write a time to a payload: its year does not have four digits");
    detail::write_head(sink_, detail::kTag, 0);
    write_text({text, static_cast<std::size_t>(end - text)});
  }

  template <class... T>
  void write_variant(const std::variant<T...>& value) {
    static_assert((detail::HasVariantName<T> && ...),
                  "busbar: an alternative of a std::variant has no name for payloads: see BUSBAR_VARIANT_NAME");
    enter();
    detail::write_head(sink_, detail::kMap, 2);
    write_text("type");
    std::visit([this]<class V>(const V&) { this->write_text(variant_name<V>::get()); }, value);
    write_text("value");
    std::visit([this](const auto& alternative) { this->write(alternative); }, value);
    --depth_;
  }

  void enter() {
    if (++depth_ > detail::kMaxDepth) [[unlikely]]
      too_deep();
  }

  // -- what goes wrong

  [[noreturn, gnu::noinline, gnu::cold]] static void not_utf8(const char* field) {
    const std::string where = field == nullptr ? "a text" : "field \"" + std::string(field) + "\"";
    throw EncodeError("could not write " + where + " to a payload: it is not valid UTF-8");
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void too_deep() {
    throw EncodeError("could not write a payload: it is nested deeper than 64");
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void unnamed(const char* type) {
    throw std::logic_error("a serialize function does not name a field of type \"" + std::string(type) +
                           "\": write ar(CEREAL_NVP(field))");
  }

  ByteSink& sink_;
  std::uint64_t fields_ = kOutsideOfStruct;  // of the innermost struct so far
  unsigned depth_;
};

/// Appends one item to the sink; when it fails the sink is as it was.
/// Errors: EncodeError, std::logic_error, std::bad_alloc.
template <class T>
void encode(const T& value, ByteSink& sink) {
  const std::size_t before = sink.size();
  try {
    OutputArchive archive(sink);
    archive(value);
  } catch (...) {
    sink.truncate(before);
    throw;
  }
}

}  // namespace busbar::cbor
