// CBOR to C++ values.
#pragma once

#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include "busbar/cbor/errors.hpp"
#include "busbar/cbor/faults.hpp"
#include "busbar/cbor/reader.hpp"
#include "busbar/cbor/time.hpp"
#include "busbar/cbor/traits.hpp"

namespace busbar::cbor {

/// Reads values from CBOR. A model of cereal's input archive, so that a class's serialize function works with it, but
/// nothing of cereal's is inside. A value that does not fit is passed over and noted; `finish` reports all of them.
/// Ownership: borrows the bytes.
/// Threads: one at a time.
/// Errors: MalformedPayload at once, from any call; DecodeError from `finish`; std::logic_error for a class that does
/// not
///   name a field. After an exception the archive is of no use.
/// Example: InputArchive ar(bytes); ar(order); ar.finish();
class InputArchive {
 public:
  using is_loading = std::true_type;
  using is_saving = std::false_type;

  explicit InputArchive(std::span<const std::uint8_t> bytes, unsigned depth = 0) : reader_(bytes), depth_(depth) {}
  InputArchive(const InputArchive&) = delete;
  InputArchive& operator=(const InputArchive&) = delete;

  template <class... T>
  [[gnu::always_inline]] InputArchive& operator()(T&&... items) {
    (item(items), ...);
    return *this;
  }
  template <class T>
  [[gnu::always_inline]] InputArchive& operator&(T&& value) {
    return (*this)(value);
  }
  template <class T>
  [[gnu::always_inline]] InputArchive& operator>>(T&& value) {
    return (*this)(value);
  }

  /// Checks that nothing is left, and reports what did not fit.
  /// Errors: MalformedPayload, DecodeError.
  void finish() {
    reader_.expect_end();
    faults_.finish();
  }

 private:
  using Kind = detail::Kind;
  using PathNode = detail::PathNode;

  /// A map whose fields a class asks for one by one. They mostly come in the order in which they are asked for: then
  /// the archive's position is simply that of the next one. Once they do not, an index of the whole map answers.
  struct OpenMap : PathNode {
    detail::Head head;
    const std::uint8_t* first = nullptr;  // the first key
    std::uint64_t left = 0;               // entries from the archive's position on, while there is no index
    detail::KeyIndex index;
    const std::uint8_t* end = nullptr;  // behind the map, once there is an index; null before
    OpenMap* outer = nullptr;
  };

  template <class T>
  static constexpr Kind kind = detail::kind_of<InputArchive, T>();

  template <class T>
  static constexpr const char* expected() {
    return detail::expected_name<InputArchive, T>();
  }

  // -- arguments of ar(…)

  template <class T>
  [[gnu::always_inline]] void item(T& argument) {
    if constexpr (detail::NamedValue<std::remove_const_t<T>>::value) {
      using Value = std::remove_cvref_t<decltype(argument.value)>;
      if constexpr (detail::BaseClass<Value>::value) {
        item(argument.value);
      } else {
        named(argument.name, std::char_traits<char>::length(argument.name), argument.value);
      }
    } else if constexpr (detail::DefaultedField<std::remove_const_t<T>>::value) {
      if (locate(argument.name, std::char_traits<char>::length(argument.name))) {
        read(argument.value);
      } else {
        argument.value = std::move(argument.default_value);
      }
    } else if constexpr (detail::BaseClass<std::remove_const_t<T>>::value) {
      detail::visit_members(*this, *argument.base_ptr);
    } else {
      static_assert(!std::is_const_v<T>, "busbar: a constant cannot be read from a payload");
      if (map_ != nullptr) unnamed(typeid(T).name());
      read(argument);
    }
  }

  template <class T>
  [[gnu::always_inline]] void named(const char* name, std::size_t size, T& value) {
    static_assert(!std::is_const_v<T>, "busbar: a constant cannot be read from a payload");
    if (locate(name, size)) [[likely]] {
      read(value);
    } else if constexpr (kind<T> == Kind::optional) {
      value.reset();
    } else {
      faults_.add(map_, expected<T>(), "nothing");
    }
  }

  // -- finding fields

  /// Moves to the value of a field of the innermost map; false when it has none.
  [[gnu::always_inline]] bool locate(const char* name, std::size_t size) {
    if (map_ == nullptr) [[unlikely]]
      outside_of_map(name);
    OpenMap& map = *map_;
    map.name = name;
    map.size = size;
    const std::uint8_t* at = reader_.position;
    if (map.left != 0 && size < 24 && reader_.left() > size && *at == (detail::kText | size) &&
        std::memcmp(at + 1, name, size) == 0) [[likely]] {
      --map.left;
      reader_.position = at + 1 + size;
      return true;
    }
    return locate_by_index({name, size});
  }

  [[gnu::noinline]] bool locate_by_index(std::string_view name) {
    OpenMap& map = *map_;
    if (map.end == nullptr) build_index(map);
    const std::uint8_t* value = map.index.find(name);
    reader_.position = value == nullptr ? map.end : value;
    return value != nullptr;
  }

  void build_index(OpenMap& map) {
    map.left = 0;
    reader_.position = map.first;
    map.index.build(reader_, map.head, depth_);
    map.end = reader_.position;
  }

  [[gnu::always_inline]] bool open_map(OpenMap& map) {
    const std::uint8_t* start = reader_.position;
    map.head = reader_.item_head(depth_);
    if (map.head.major() != detail::kMap) [[unlikely]] {
      mismatch(start, "map");
      return false;
    }
    reader_.enter(depth_);
    ++depth_;
    map.first = reader_.position;
    map.left = map.head.indefinite() ? 0 : map.head.value;
    map.parent = path_;
    map.outer = map_;
    path_ = map_ = &map;
    return true;
  }

  [[gnu::always_inline]] void close_map(OpenMap& map) {
    // Entries that nobody asked for are checked too, also for a key that was there before.
    const bool unread = map.left != 0 || map.head.indefinite();
    if (map.end == nullptr && unread) build_index(map);
    if (map.end != nullptr) reader_.position = map.end;
    path_ = map.parent;
    map_ = map.outer;
    --depth_;
  }

  // -- whole values

  template <class T>
  void read(T& value) {
    detail::expect_mapped<InputArchive, T>();
    constexpr Kind kKind = kind<T>;
    if constexpr (kKind == Kind::boolean) {
      read_bool(value);
    } else if constexpr (kKind == Kind::integer) {
      read_integer(value);
    } else if constexpr (kKind == Kind::number) {
      read_number(value);
    } else if constexpr (kKind == Kind::text) {
      static_assert(std::is_same_v<T, std::string>, "busbar: a text is read into a std::string");
      read_text(value);
    } else if constexpr (kKind == Kind::structure) {
      read_struct(value);
    } else if constexpr (kKind == Kind::array) {
      read_array(value);
    } else if constexpr (kKind == Kind::fixed_array || kKind == Kind::tuple) {
      read_fixed(value);
    } else if constexpr (kKind == Kind::map) {
      read_map(value);
    } else if constexpr (kKind == Kind::optional) {
      read_optional(value);
    } else if constexpr (kKind == Kind::bytes) {
      read_bytes(value);
    } else if constexpr (kKind == Kind::named_enum) {
      read_enum(value);
    } else if constexpr (kKind == Kind::plain_enum) {
      auto number = static_cast<std::underlying_type_t<T>>(value);
      read(number);
      value = static_cast<T>(number);
    } else if constexpr (kKind == Kind::duration) {
      auto count = value.count();
      read(count);
      value = T(count);
    } else if constexpr (kKind == Kind::time_point) {
      read_time(value);
    } else if constexpr (kKind == Kind::variant) {
      read_variant(value);
    } else if constexpr (kKind == Kind::nothing) {
      if (!take_null()) mismatch(reader_.position, expected<T>());
    } else if constexpr (kKind == Kind::codec) {
      read_codec(value);
    }
  }

  void read_bool(bool& value) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    value = item.first == detail::kTrue;
    if (!value && item.first != detail::kFalse) [[unlikely]]
      mismatch(start, "true or false");
  }

  template <class I>
  void read_integer(I& value) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<I>::max());
    if (item.major() == detail::kUnsigned && item.value <= kMax) [[likely]] {
      value = static_cast<I>(item.value);
    } else if (std::is_signed_v<I> && item.major() == detail::kNegative && item.value <= kMax) {
      value = static_cast<I>(-1 - static_cast<std::int64_t>(item.value));
    } else {
      const bool integer = item.major() == detail::kUnsigned || item.major() == detail::kNegative;
      integer ? out_of_range<I>(start) : mismatch(start, "integer");
    }
  }

  template <class F>
  void read_number(F& value) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    if (item.first == detail::kDouble && std::is_same_v<F, double>) [[likely]] {
      value = static_cast<F>(std::bit_cast<double>(item.value));
    } else if (detail::is_float(item)) {
      const double wide = detail::to_double(item);
      value = static_cast<F>(wide);
      if (std::isinf(value) && !std::isinf(wide)) mismatch(start, "number in the range of a float");
    } else if (item.major() == detail::kUnsigned) {
      value = static_cast<F>(item.value);
    } else if (item.major() == detail::kNegative) {
      value = F{-1} - static_cast<F>(item.value);
    } else {
      mismatch(start, "number");
    }
  }

  void read_text(std::string& value) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    if (item.major() != detail::kText) [[unlikely]]
      return mismatch(start, "text");
    if (!item.indefinite()) [[likely]] {
      value = reader_.text_body(item);
      return;
    }
    value.clear();
    reader_.pieces(item, [&](const std::uint8_t* data, std::size_t size) {
      value.append(reinterpret_cast<const char*>(data), size);
    });
  }

  template <class T>
  void read_bytes(T& value) {
    using Byte = typename T::value_type;
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    value.clear();
    if (item.major() == detail::kBytes) {
      reader_.pieces(item, [&](const std::uint8_t* data, std::size_t size) {
        const auto* bytes = reinterpret_cast<const Byte*>(data);
        value.insert(value.end(), bytes, bytes + size);
      });
      return;
    }
    if (item.major() != detail::kText) return mismatch(start, expected<T>());
    std::string text;
    reader_.position = start;
    read_text(text);
    const auto bytes = detail::from_base64(text);
    if (!bytes) return faults_.add(path_, expected<T>(), "text that is not base64");
    const auto* data = reinterpret_cast<const Byte*>(bytes->data());
    value.assign(data, data + bytes->size());
  }

  template <class T>
  void read_struct(T& value) {
    OpenMap map;
    if (!open_map(map)) [[unlikely]]
      return;
    detail::visit_members(*this, value);
    close_map(map);
  }

  template <class T>
  void read_optional(T& value) {
    using Value = typename detail::OptionalValue<T>::type;
    if (take_null()) {
      value.reset();
      return;
    }
    if constexpr (std::is_same_v<T, std::optional<Value>>) {
      read(value.emplace());
    } else {
      value = T(new Value());
      read(*value);
    }
  }

  bool take_null() {
    if (reader_.left() == 0 || (*reader_.position != detail::kNull && *reader_.position != detail::kUndefined))
      return false;
    ++reader_.position;
    return true;
  }

  template <class T>
  void read_array(T& values) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    if (item.major() != detail::kArray) return mismatch(start, "array");
    reader_.enter(depth_);
    values.clear();
    if constexpr (requires {
                    values.reserve(1);
                    values.emplace_back();
                  })
      reserve(values, item);
    PathNode node{path_};
    open(node);
    for (std::uint64_t left = item.value; reader_.another(item, left); ++node.index) read_element(values);
    close(node);
  }

  /// Room for as many as were announced, but no more than a page: what comes beyond has to be there to be believed.
  template <class T>
  static void reserve(T& values, const detail::Head& item) {
    constexpr std::uint64_t kPage = 4096;
    constexpr std::uint64_t kFits = std::max<std::uint64_t>(kPage / sizeof(typename T::value_type), 1);
    if (!item.indefinite()) values.reserve(static_cast<std::size_t>(std::min(item.value, kFits)));
  }

  template <class T>
  void read_element(T& values) {
    using Value = typename T::value_type;
    constexpr bool kInPlace = requires {
      { values.emplace_back() } -> std::same_as<Value&>;
    };
    // Once there is a fault nobody will see the values: a small payload of wrong ones must not become a large vector,
    // nor make a million objects one after the other.
    if (faults_.full()) [[unlikely]]
      return reader_.skip(depth_);
    if (kInPlace && !faults_.any()) {
      if constexpr (kInPlace) read(values.emplace_back());
      return;
    }
    Value value{};
    read(value);
    if (!faults_.any()) values.insert(values.end(), std::move(value));
  }

  /// Arrays, tuples and pairs: the number of elements must be theirs.
  template <class T>
  void read_fixed(T& values) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    constexpr std::size_t kSize = fixed_size<T>();
    if (item.major() != detail::kArray || count(item) != kSize) return wrong_size(start, kSize);
    reader_.enter(depth_);
    PathNode node{path_};
    open(node);
    const auto element = [&](auto& value) {
      read(value);
      ++node.index;
    };
    if constexpr (kind<T> == Kind::tuple) {
      std::apply([&](auto&... value) { (element(value), ...); }, values);
    } else {
      for (auto& value : values) element(value);
    }
    std::uint64_t none = 0;
    reader_.another(item, none);  // the break of an indefinite one
    close(node);
  }

  template <class T>
  static constexpr std::size_t fixed_size() {
    if constexpr (std::is_bounded_array_v<T>) {
      return std::extent_v<T>;
    } else {
      return std::tuple_size_v<T>;
    }
  }

  /// The number of elements of an array whose head was read; the position stays.
  std::uint64_t count(const detail::Head& item) {
    if (!item.indefinite()) return item.value;
    reader_.enter(depth_);
    const std::uint8_t* first = reader_.position;
    std::uint64_t elements = 0;
    for (std::uint64_t none = 0; reader_.another(item, none); ++elements) reader_.skip(depth_ + 1);
    reader_.position = first;
    return elements;
  }

  template <class T>
  void read_map(T& values) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    if (item.major() != detail::kMap) return mismatch(start, "map");
    reader_.enter(depth_);
    values.clear();
    PathNode node{path_};
    open(node);
    for (std::uint64_t left = item.value; reader_.another(item, left);) {
      const std::string_view key = reader_.key();
      node.name = key.data();
      node.size = key.size();
      const auto [entry, is_new] = values.try_emplace(std::string(key));
      if (!is_new) reader_.fail("a map has a key twice");
      read(entry->second);
    }
    close(node);
  }

  template <class E>
  void read_enum(E& value) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    if (item.major() != detail::kText) return mismatch(start, "text");
    std::string name;
    reader_.position = start;
    read_text(name);
    std::string names;
    for (const auto& entry : enum_names<E>::list()) {
      if (entry.name == name) {
        value = entry.value;
        return;
      }
    }
    for (const auto& entry : enum_names<E>::list()) detail::add_choice(names, entry.name);
    faults_.add(path_, names, detail::quoted(name));
  }

  template <class T>
  void read_time(T& value) {
    const std::uint8_t* start = reader_.position;
    const detail::Head item = reader_.item_head(depth_);
    if (item.major() != detail::kText) return mismatch(start, expected<T>());
    std::string text;
    reader_.position = start;
    read_text(text);
    const auto time = detail::TimeParser(text).parse();
    if (!time) return faults_.add(path_, expected<T>(), detail::quoted(text));
    if (!detail::assign_time(*time, value)) faults_.add(path_, "time in the range of its type", detail::quoted(text));
  }

  template <class... T>
  void read_variant(std::variant<T...>& value) {
    static_assert((detail::HasVariantName<T> && ...),
                  "busbar: an alternative of a std::variant has no name for payloads: see BUSBAR_VARIANT_NAME");
    OpenMap map;
    if (!open_map(map)) return;
    std::string type;
    const std::size_t faults_before = faults_.count();
    named("type", 4, type);
    if (faults_.count() == faults_before) {
      const bool known =
          ((type == variant_name<T>::get() && (read_alternative(value.template emplace<T>()), true)) || ...);
      if (!known) {
        std::string names;
        (detail::add_choice(names, variant_name<T>::get()), ...);
        faults_.add(path_, names, detail::quoted(type));
      }
    }
    close_map(map);
  }

  template <class T>
  void read_alternative(T& value) {
    if constexpr (std::is_same_v<T, std::monostate>) {
      if (locate("value", 5)) read(value);
    } else {
      named("value", 5, value);
    }
  }

  template <class T>
  void read_codec(T& value) {
    const std::uint8_t* start = reader_.position;
    reader_.skip(depth_);
    try {
      value = Codec<T>::read({start, reader_.position}, depth_);
    } catch (const Unfit& fault) {
      faults_.add(path_, fault.expected(), fault.found());
    }
  }

  void open(PathNode& node) {
    path_ = &node;
    ++depth_;
  }
  void close(const PathNode& node) {
    path_ = node.parent;
    --depth_;
  }

  // -- what goes wrong

  /// Notes the item at `start` as something else than expected, and passes over it.
  [[gnu::noinline, gnu::cold]] void mismatch(const std::uint8_t* start, const char* wanted) {
    reader_.position = start;
    const std::string found = detail::describe(reader_, depth_);
    reader_.position = start;
    reader_.skip(depth_);
    faults_.add(path_, wanted, found);
  }

  [[gnu::noinline, gnu::cold]] void wrong_size(const std::uint8_t* start, std::size_t wanted) {
    mismatch(start, ("array of " + std::to_string(wanted)).c_str());
  }

  template <class I>
  [[gnu::noinline, gnu::cold]] void out_of_range(const std::uint8_t* start) {
    const std::string range = "integer in " + std::to_string(std::numeric_limits<I>::min()) + "…" +
                              std::to_string(std::numeric_limits<I>::max());
    mismatch(start, range.c_str());
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void unnamed(const char* type) {
    throw std::logic_error("a serialize function does not name a field of type \"" + std::string(type) +
                           "\": write ar(CEREAL_NVP(field))");
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void outside_of_map(const char* name) {
    throw std::logic_error("field \"" + std::string(name) + "\" is asked for outside of a serialize function");
  }

  detail::Reader reader_;
  detail::Faults faults_;
  PathNode* path_ = nullptr;
  OpenMap* map_ = nullptr;
  unsigned depth_;
};

/// The value of one whole payload.
/// Errors: MalformedPayload, DecodeError.
template <class T>
T decode(std::span<const std::uint8_t> bytes) {
  static_assert(std::is_default_constructible_v<T>,
                "busbar: a type that payloads are read into needs a default constructor");
  T value{};
  InputArchive archive(bytes);
  archive(value);
  archive.finish();
  return value;
}

}  // namespace busbar::cbor
