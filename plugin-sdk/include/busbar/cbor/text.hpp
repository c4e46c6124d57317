// Text in payloads: UTF-8 checking and base64.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::cbor::detail {

/// Whether no byte has its top bit set, eight bytes at a time.
inline bool is_ascii(const char* data, std::size_t size) noexcept {
  constexpr std::uint64_t kTopBits = 0x8080808080808080;
  if (size < 8) {
    unsigned char all = 0;
    for (std::size_t i = 0; i < size; ++i) all = static_cast<unsigned char>(all | static_cast<unsigned char>(data[i]));
    return all < 0x80;
  }
  std::uint64_t all = 0;
  std::uint64_t word;
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    std::memcpy(&word, data + i, 8);
    all |= word;
  }
  std::memcpy(&word, data + size - 8, 8);  // the last eight, which may overlap those before
  return ((all | word) & kTopBits) == 0;
}

/// How many bytes the UTF-8 character at `p` has; 0 when it is none: cut off, overlong, a surrogate, beyond U+10FFFF.
inline std::size_t character_size(const unsigned char* p, std::size_t left) noexcept {
  const auto follows = [&](std::size_t i) { return (p[i] & 0xC0) == 0x80; };
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xC2 && p[0] <= 0xDF) return left >= 2 && follows(1) ? 2 : 0;
  if (p[0] >= 0xE0 && p[0] <= 0xEF) {
    if (left < 3 || !follows(1) || !follows(2)) return 0;
    const bool overlong = p[0] == 0xE0 && p[1] < 0xA0;
    const bool surrogate = p[0] == 0xED && p[1] >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (p[0] >= 0xF0 && p[0] <= 0xF4) {
    if (left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
    const bool overlong = p[0] == 0xF0 && p[1] < 0x90;
    const bool beyond = p[0] == 0xF4 && p[1] >= 0x90;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

[[gnu::noinline]] inline bool is_utf8_beyond_ascii(const char* data, std::size_t size) noexcept {
  const auto* p = reinterpret_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size;) {
    const std::size_t step = character_size(p + i, size - i);
    if (step == 0) return false;
    i += step;
  }
  return true;
}

inline bool is_utf8(const char* data, std::size_t size) noexcept {
  return is_ascii(data, size) || is_utf8_beyond_ascii(data, size);
}

inline std::string to_base64(std::span<const std::uint8_t> bytes) {
  const char* const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t here = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < here ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += k <= here ? letters[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

inline int base64_digit(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

/// The bytes that `text` stands for, or nothing when it is not base64 of RFC 4648 section 4, padding included.
inline std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  const std::size_t digits = text.size() - padding;
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = base64_digit(text[i]);
    if (digit < 0) return std::nullopt;
    group = (group << 6 | static_cast<std::uint32_t>(digit)) & 0xFFFFFF;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(group >> bits));
    }
  }
  const bool stray_bits = (group & ((1u << bits) - 1)) != 0;
  return stray_bits ? std::nullopt : std::optional(std::move(bytes));
}

}  // namespace busbar::cbor::detail
