// Which fields a class asks for.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "busbar/cbor/traits.hpp"

namespace busbar::cbor::detail {

/// An archive that reads nothing: it notes the names of a class's own fields, not of those inside them.
/// Example: FieldNames fields; visit_members(fields, order); use(fields.names);
struct FieldNames {
  using is_loading = std::true_type;
  using is_saving = std::false_type;

  template <class... T>
  FieldNames& operator()(T&&... items) {
    (item(items), ...);
    return *this;
  }
  template <class T>
  FieldNames& operator&(T&& value) {
    return (*this)(value);
  }
  template <class T>
  FieldNames& operator>>(T&& value) {
    return (*this)(value);
  }

  std::vector<std::string> names;

 private:
  template <class T>
  void item(T& argument) {
    using Item = std::remove_const_t<T>;
    if constexpr (NamedValue<Item>::value) {
      if constexpr (BaseClass<std::remove_cvref_t<decltype(argument.value)>>::value) {
        item(argument.value);
      } else {
        names.emplace_back(argument.name);
      }
    } else if constexpr (DefaultedField<Item>::value) {
      names.emplace_back(argument.name);
    } else if constexpr (BaseClass<Item>::value) {
      visit_members(*this, *argument.base_ptr);
    }
  }
};

}  // namespace busbar::cbor::detail
