// One CBOR item, owned or borrowed.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "busbar/cbor/cbor.hpp"

namespace busbar {

/// What a message or response carries: one CBOR item, or nothing ("absent", which is not null).
/// Ownership: owns its bytes, unless made with `borrow`: then the lender's bytes must outlive it. A copy always owns; a
///   move takes over what there is, borrowed or owned, and leaves an absent payload.
/// Threads: like a std::vector.
/// Example: Payload p = Payload::of(order); Order same = p.as<Order>();
class Payload {
 public:
  Payload() = default;

  static Payload borrow(std::span<const std::uint8_t> bytes) noexcept {
    Payload payload;
    payload.bytes_ = bytes;
    return payload;
  }

  static Payload own(std::vector<std::uint8_t> bytes) noexcept {
    Payload payload;
    payload.owned_ = std::move(bytes);
    payload.bytes_ = payload.owned_;
    return payload;
  }

  /// Errors: EncodeError.
  template <class T>
  static Payload of(const T& value) {
    cbor::ByteSink sink;
    cbor::encode(value, sink);
    return own(sink.take());
  }

  Payload(const Payload& other) : owned_(other.bytes_.begin(), other.bytes_.end()), bytes_(owned_) {}
  Payload(Payload&& other) noexcept
      : owned_(std::exchange(other.owned_, {})), bytes_(std::exchange(other.bytes_, {})) {}
  Payload& operator=(const Payload& other) { return *this = Payload(other); }
  Payload& operator=(Payload&& other) noexcept {
    owned_ = std::exchange(other.owned_, {});
    bytes_ = std::exchange(other.bytes_, {});
    return *this;
  }
  ~Payload() = default;

  /// The value. Of an absent payload: a class is read as if from a map without fields, so that every field that it
  /// misses is named; an optional is empty; anything else does not fit.
  /// Errors: MalformedPayload, DecodeError.
  template <class T>
  T as() const {
    if (!empty()) return cbor::decode<T>(bytes_);
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
  nlohmann::json to_json() const { return empty() ? nlohmann::json() : cbor::to_json(bytes_); }

  /// Makes it absent.
  void clear() noexcept {
    if (!owned_.empty()) owned_ = {};
    bytes_ = {};
  }

  bool empty() const noexcept { return bytes_.empty(); }
  std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::uint8_t> owned_;
  std::span<const std::uint8_t> bytes_;
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
  static Payload read(std::span<const std::uint8_t> item, unsigned /*depth*/) {
    return Payload::own({item.begin(), item.end()});
  }
};

}  // namespace busbar
