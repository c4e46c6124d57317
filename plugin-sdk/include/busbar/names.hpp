// The rules for names, codes and ids (docs: interfaces, "Names, ids, units"), for both sides of the boundary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace busbar {

namespace detail {
inline constexpr std::uint8_t kLower = 1, kUpper = 2, kDigit = 4, kUnderscore = 8, kDash = 16, kDot = 32;

// What each character is: names are checked for every call, and a look at a table is a third of the comparisons' time.
inline constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned char c = 'a'; c <= 'z'; ++c) classes[c] = kLower;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) classes[c] = kUpper;
  for (unsigned char c = '0'; c <= '9'; ++c) classes[c] = kDigit;
  classes['_'] = kUnderscore;
  classes['-'] = kDash;
  classes['.'] = kDot;
  return classes;
}();

constexpr bool is_a(std::uint8_t classes, char c) { return (kClasses[static_cast<unsigned char>(c)] & classes) != 0; }

// Whether `text` has 1 to `longest` characters, the first of one and the rest of the other classes.
constexpr bool matches(std::string_view text, std::size_t longest, std::uint8_t first, std::uint8_t rest) {
  if (text.empty() || text.size() > longest || !is_a(first, text.front())) return false;
  for (const char c : text.substr(1)) {
    if (!is_a(rest, c)) return false;
  }
  return true;
}

inline constexpr std::uint8_t kWord = kLower | kDigit | kUnderscore;
inline constexpr std::uint8_t kAlphanumeric = kLower | kUpper | kDigit;
}  // namespace detail

inline constexpr std::string_view kServiceNameRule = "[a-z][a-z0-9_]{0,254}";
inline constexpr std::string_view kPluginNameRule = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}";
inline constexpr std::string_view kNodeNameRule = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}, and not \"local\"";

/// Whether `name` may name a service: `[a-z][a-z0-9_]{0,254}`.
constexpr bool is_service_name(std::string_view name) {
  return detail::matches(name, 255, detail::kLower, detail::kWord);
}

/// Whether `name` may name a plugin: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`.
constexpr bool is_plugin_name(std::string_view name) {
  constexpr std::uint8_t kRest = detail::kAlphanumeric | detail::kDot | detail::kUnderscore | detail::kDash;
  return detail::matches(name, 63, detail::kAlphanumeric, kRest);
}

/// Whether `name` may name a node: as a plugin, but not `local`, which means "this one" in answers.
constexpr bool is_node_name(std::string_view name) { return is_plugin_name(name) && name != "local"; }

/// Whether `code` may be an error's code: `[a-z][a-z0-9_]{0,63}`.
constexpr bool is_error_code(std::string_view code) { return detail::matches(code, 64, detail::kLower, detail::kWord); }

/// Whether `id` may be a message's id, our own or a foreign one: 1–128 of `[A-Za-z0-9_-]`.
constexpr bool is_message_id(std::string_view id) {
  constexpr std::uint8_t kAny = detail::kAlphanumeric | detail::kUnderscore | detail::kDash;
  return detail::matches(id, 128, kAny, kAny);
}

}  // namespace busbar
