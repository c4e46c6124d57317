// Checking a type before any value of it travels.
#pragma once

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "busbar/cbor/text.hpp"
#include "busbar/cbor/traits.hpp"

namespace busbar::cbor {
namespace detail {

inline std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                    &std::free);
  return status == 0 ? name.get() : type.name();
}

/// What check_shape throws; its own type, to tell it from what a class's own functions throw.
class ShapeError : public std::logic_error {
 public:
  ShapeError(const std::type_info& type, const std::string& what)
      : std::logic_error("type \"" + type_name(type) + "\" cannot be in a payload: " + what) {}
};

/// An archive that moves no values: it looks at what a class names, and at the types of it.
template <bool Loading>
class ShapeArchive {
 public:
  using is_loading = std::bool_constant<Loading>;
  using is_saving = std::bool_constant<!Loading>;

  template <class... T>
  ShapeArchive& operator()(T&&... items) {
    (item(items), ...);
    return *this;
  }
  template <class T>
  ShapeArchive& operator&(T&& value) {
    return (*this)(value);
  }
  template <class T>
  ShapeArchive& operator<<(T&& value) {
    return (*this)(value);
  }
  template <class T>
  ShapeArchive& operator>>(T&& value) {
    return (*this)(value);
  }

  template <class T>
  void check() {
    expect_mapped<ShapeArchive, T>();
    constexpr Kind kKind = kind_of<ShapeArchive, T>();
    if constexpr (kKind == Kind::structure) {
      check_struct<T>();
    } else if constexpr (kKind == Kind::optional) {
      check<typename OptionalValue<T>::type>();
    } else if constexpr (kKind == Kind::map) {
      check<typename T::mapped_type>();
    } else if constexpr (kKind == Kind::array) {
      check<typename T::value_type>();
    } else if constexpr (kKind == Kind::fixed_array) {
      check<std::remove_cvref_t<decltype(*std::begin(std::declval<T&>()))>>();
    } else if constexpr (kKind == Kind::tuple) {
      check_each(static_cast<T*>(nullptr));
    } else if constexpr (kKind == Kind::variant) {
      check_each(static_cast<T*>(nullptr));
    }
  }

 private:
  /// A class that is being looked at. A class within itself is looked at once.
  struct Open {
    Open* outer;
    const std::type_info& type;
    std::vector<std::string> names;
  };

  template <template <class...> class List, class... T>
  void check_each(List<T...>*) {
    (check<T>(), ...);
  }

  template <class T>
  void item(const T& argument) {
    if constexpr (NamedValue<T>::value) {
      using Value = std::remove_cvref_t<decltype(argument.value)>;
      if constexpr (BaseClass<Value>::value) {
        item(argument.value);
      } else {
        named<Value>(argument.name);
      }
    } else if constexpr (DefaultedField<T>::value) {
      named<std::remove_cvref_t<decltype(argument.value)>>(argument.name);
    } else if constexpr (BaseClass<T>::value) {
      visit_members(*this, *argument.base_ptr);
    } else {
      throw ShapeError(open_->type, "its serialize function does not name a field of type \"" + type_name(typeid(T)) +
                                        "\"; expected ar(CEREAL_NVP(field))");
    }
  }

  template <class T>
  void named(std::string_view name) {
    std::vector<std::string>& names = open_->names;
    if (!is_utf8(name.data(), name.size())) throw ShapeError(open_->type, "the name of a field is not valid UTF-8");
    if (std::find(names.begin(), names.end(), name) != names.end())
      throw ShapeError(open_->type, "it names field \"" + std::string(name) + "\" twice");
    names.emplace_back(name);
    check<T>();
  }

  template <class T>
  void check_struct() {
    static_assert(std::is_default_constructible_v<T>,
                  "busbar: a type that payloads are read into needs a default constructor");
    for (const Open* open = open_; open != nullptr; open = open->outer)
      if (open->type == typeid(T)) return;
    Open open{open_, typeid(T), {}};
    open_ = &open;
    try {
      T object{};
      visit_members(*this, object);
    } catch (const ShapeError&) {
      throw;
    } catch (...) {
      // The class looks at its values, and does not like those that nobody has read. That says nothing of its shape.
    }
    open_ = open.outer;
  }

  Open* open_ = nullptr;
};

}  // namespace detail

/// Checks that T can be a payload, as far as the compiler cannot: every class in it names its fields, none twice.
/// Makes objects with their default constructors and hands them to serialize (or load and save).
/// Errors: std::logic_error that names the type.
template <class T>
void check_shape() {
  detail::ShapeArchive<true>().template check<T>();
  detail::ShapeArchive<false>().template check<T>();
}

}  // namespace busbar::cbor
