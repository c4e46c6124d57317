// Where a message belongs among what is traced: W3C Trace Context (https://www.w3.org/TR/trace-context/), level 1.
//
// Every message has a trace, whether or not somebody traces: it is made of the ids that the message has anyway, so that
// it costs nothing until it is asked for. The trace id stands for the correlation id, the span id for the message's id.
// Only where a trace was begun elsewhere does a `traceparent` travel with the message.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace busbar {

/// A `traceparent`: which trace, which span in it caused what comes, and whether it is recorded. A plain value.
struct TraceParent {
  static constexpr std::size_t kSize = 55;  ///< characters of its text
  static constexpr std::uint8_t kSampled = 1;

  std::array<std::uint8_t, 16> trace_id{};  ///< never all zero
  std::array<std::uint8_t, 8> span_id{};    ///< likewise
  std::uint8_t flags = 0;

  /// Whether whoever began the trace records it: hosts keep what such a call did in their trails (`call --explain`).
  bool sampled() const noexcept { return (flags & kSampled) != 0; }

  /// Reads `00-…-…-01`; of a later version as much as this one knows. Nothing where it is no valid one, which by the
  /// standard means that there is none.
  static std::optional<TraceParent> parse(std::string_view text) noexcept;
  /// `00-<32 hexadecimal digits>-<16>-<2>`, in small letters.
  std::string text() const;
  std::string trace_id_text() const;
};

namespace detail {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

template <std::size_t Size>
constexpr bool read_hex(std::string_view text, std::array<std::uint8_t, Size>& out) noexcept {
  bool any = false;
  for (std::size_t i = 0; i < Size; ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
    any = any || out[i] != 0;
  }
  return any;
}

template <std::size_t Size>
void append_hex(std::string& text, const std::array<std::uint8_t, Size>& bytes) {
  for (const std::uint8_t byte : bytes) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
}

constexpr int base64url_value(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/// Bits that stand for an id: those that an id of ours is the text of (22 characters of base64url); of a foreign one a
/// hash (FNV-1a, of 64 bits with two starts), because all nodes must come to the same.
inline std::array<std::uint8_t, 16> bits_of_id(std::string_view id) noexcept {
  std::array<std::uint8_t, 16> out{};
  if (id.size() == 22) {
    std::uint32_t bits = 0;
    unsigned held = 0;
    std::size_t filled = 0;
    bool fits = true;
    for (const char c : id) {
      const int value = base64url_value(c);
      fits = fits && value >= 0;
      bits = bits << 6 | static_cast<std::uint32_t>(value & 63);
      held += 6;
      if (held < 8 || filled == out.size()) continue;
      held -= 8;
      out[filled++] = static_cast<std::uint8_t>(bits >> held);
    }
    if (fits) return out;
  }
  std::uint64_t hash[2] = {0xcbf29ce484222325, 0x84222325cbf29ce4};
  for (std::size_t part = 0; part < 2; ++part) {
    for (const char c : id) hash[part] = (hash[part] ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
    for (std::size_t i = 0; i < 8; ++i) out[part * 8 + i] = static_cast<std::uint8_t>(hash[part] >> (56 - 8 * i));
  }
  return out;
}

template <std::size_t Size>
constexpr void forbid_zero(std::array<std::uint8_t, Size>& id) noexcept {
  for (const std::uint8_t byte : id) {
    if (byte != 0) return;
  }
  id.back() = 1;
}

/// The first half of the bits of a message's id.
inline std::array<std::uint8_t, 8> span_id_of(std::string_view message_id) noexcept {
  const auto bits = bits_of_id(message_id);
  std::array<std::uint8_t, 8> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = bits[i];
  forbid_zero(out);
  return out;
}

}  // namespace detail

inline std::optional<TraceParent> TraceParent::parse(std::string_view text) noexcept {
  if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const int version_high = detail::hex_value(text[0]), version_low = detail::hex_value(text[1]);
  if (version_high < 0 || version_low < 0 || (version_high == 15 && version_low == 15)) return std::nullopt;
  const bool is_first_version = version_high == 0 && version_low == 0;
  if (text.size() != kSize && (is_first_version || text[kSize] != '-')) return std::nullopt;
  TraceParent out;
  if (!detail::read_hex(text.substr(3, 32), out.trace_id) || !detail::read_hex(text.substr(36, 16), out.span_id)) {
    return std::nullopt;
  }
  const int flags_high = detail::hex_value(text[53]), flags_low = detail::hex_value(text[54]);
  if (flags_high < 0 || flags_low < 0) return std::nullopt;
  out.flags = static_cast<std::uint8_t>((flags_high * 16 + flags_low) & kSampled);
  return out;
}

inline std::string TraceParent::trace_id_text() const {
  std::string out;
  detail::append_hex(out, trace_id);
  return out;
}

inline std::string TraceParent::text() const {
  std::string out = "00-";
  out.reserve(kSize);
  detail::append_hex(out, trace_id);
  out += '-';
  detail::append_hex(out, span_id);
  out += '-';
  detail::append_hex(out, std::array<std::uint8_t, 1>{flags});
  return out;
}

/// Whether a valid `traceparent`, or an empty one, says that its trace is recorded.
inline bool is_sampled(std::string_view traceparent) noexcept {
  return traceparent.size() >= TraceParent::kSize &&
         (detail::hex_value(traceparent[TraceParent::kSize - 1]) & TraceParent::kSampled) != 0;
}

/// The trace of what belongs to such a correlation, with such a message as its latest span; not recorded.
inline TraceParent trace_of(std::string_view correlation_id, std::string_view message_id) noexcept {
  TraceParent out;
  out.trace_id = detail::bits_of_id(correlation_id);
  detail::forbid_zero(out.trace_id);
  out.span_id = detail::span_id_of(message_id);
  return out;
}

}  // namespace busbar
