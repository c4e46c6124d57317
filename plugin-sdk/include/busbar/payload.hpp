// One CBOR item, owned or borrowed.
#pragma once

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "busbar/cbor/cbor.hpp"

namespace busbar {

class Payload;

namespace detail {
class Settings;
template <class T>
void note_asked(const Payload& settings);
inline void note_everything_asked(const Payload& settings);
}  // namespace detail

/// What a message or response carries: one CBOR item, or nothing ("absent", which is not null).
/// Ownership: owns its bytes, unless made with `borrow`: then the lender's bytes must outlive it. A copy always owns; a
///   move takes over what there is, borrowed or owned.
/// Threads: like a std::vector.
/// Example: Payload p = Payload::of(order); Order same = p.as<Order>();
class Payload {
 public:
  Payload() = default;

  static Payload borrow(std::span<const std::uint8_t> bytes) noexcept {
    Payload payload;
    payload.data_ = bytes.data();
    payload.size_ = bytes.size();
    return payload;
  }

  /// Errors: std::bad_alloc.
  static Payload copy(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return {};
    Block block;
    block.grow(bytes.size());
    std::memcpy(block.data(), bytes.data(), bytes.size());
    return own(std::move(block), bytes.size());
  }
  static Payload own(const std::vector<std::uint8_t>& bytes) { return copy(bytes); }

  /// Takes over the block, of which `size` bytes are filled.
  static Payload own(Block&& block, std::size_t size) noexcept {
    Payload payload;
    payload.size_ = size;
    payload.owned_ = true;
    payload.data_ = block.release();
    return payload;
  }

  /// A value of any type that can be mapped. Literals, C strings and views are text.
  /// Errors: EncodeError.
  template <class T>
  static Payload of(const T& value) {
    cbor::ByteSink sink;
    if constexpr (std::is_same_v<std::remove_extent_t<T>, char> && std::is_array_v<T>) {
      cbor::encode(std::string(value, strnlen(value, std::extent_v<T>)), sink);
    } else if constexpr (std::is_same_v<T, const char*> || std::is_same_v<T, std::string_view>) {
      cbor::encode(std::string(value), sink);
    } else {
      cbor::encode(value, sink);
    }
    const std::size_t size = sink.size();
    return own(sink.take_block(), size);
  }

  Payload(const Payload& other) : Payload(copy(other.bytes())) {}
  Payload(Payload&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        owned_(std::exchange(other.owned_, false)) {}
  Payload& operator=(const Payload& other) { return *this = Payload(other); }
  Payload& operator=(Payload&& other) noexcept {
    if (this == &other) return *this;
    if (owned_) std::free(const_cast<std::uint8_t*>(data_));
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    owned_ = std::exchange(other.owned_, false);
    return *this;
  }
  ~Payload() {
    if (owned_) std::free(const_cast<std::uint8_t*>(data_));
  }

  /// The value. Of an absent payload: a class is read as if from a map without fields, so that every field that it
  /// misses is named; an optional is empty; anything else does not fit.
  /// Errors: MalformedPayload, DecodeError.
  template <class T>
  T as() const {
    if (is_settings_) detail::note_asked<T>(*this);
    return decode<T>();
  }
  /// The same, for messages and responses, which are never a plugin's settings.
  template <class T>
  T decode() const {
    if (!empty()) return cbor::decode<T>(bytes());
    constexpr auto kKind = cbor::detail::kind_of<cbor::InputArchive, T>();
    constexpr std::uint8_t kEmptyMap[] = {cbor::detail::kMap}, kNull[] = {cbor::detail::kNull};
    if constexpr (kKind == cbor::detail::Kind::structure || kKind == cbor::detail::Kind::map) {
      return cbor::decode<T>(kEmptyMap);
    } else if constexpr (kKind == cbor::detail::Kind::optional) {
      return cbor::decode<T>(kNull);
    } else {
      throw DecodeError({{"", cbor::detail::expected_name<cbor::InputArchive, T>(), "nothing"}});
    }
  }

  /// Errors: EncodeError.
  static Payload from_json(const nlohmann::json& json) { return own(cbor::from_json(json)); }

  /// Null when absent.
  /// Errors: MalformedPayload, NotJson.
  nlohmann::json to_json() const {
    if (is_settings_) detail::note_everything_asked(*this);
    return empty() ? nlohmann::json() : cbor::to_json(bytes());
  }

  /// Makes it absent.
  void clear() noexcept { *this = Payload(); }

  bool empty() const noexcept { return size_ == 0; }
  std::span<const std::uint8_t> bytes() const noexcept { return {data_, size_}; }

 private:
  friend class detail::Settings;

  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  bool owned_ = false;
  bool is_settings_ = false;  // a detail::Settings; no copy is one
};

/// A Payload member of a class takes any item, as it stands; null when absent.
template <>
struct cbor::Codec<Payload> {
  static constexpr const char* kind() { return "anything"; }
  static void write(ByteSink& sink, const Payload& value, unsigned depth) {
    if (value.empty()) return detail::write_byte(sink, detail::kNull);
    detail::Reader reader(value.bytes());
    reader.skip(depth);
    reader.expect_end();
    sink.append(value.bytes().data(), value.bytes().size());
  }
  static Payload read(std::span<const std::uint8_t> item, unsigned /*depth*/) { return Payload::copy(item); }
};

}  // namespace busbar

#include "busbar/detail/settings.hpp"  // what `as` needs where it is used
