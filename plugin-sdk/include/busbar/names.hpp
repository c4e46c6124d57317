// The rules for names, codes and ids (docs: interfaces, "Names, ids, units"), for both sides of the boundary.
#pragma once

#include <string_view>

namespace busbar {

namespace detail {
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

template <class First, class Rest>
constexpr bool matches(std::string_view text, std::size_t longest, First first, Rest rest) {
  if (text.empty() || text.size() > longest || !first(text.front())) return false;
  for (char c : text.substr(1)) {
    if (!rest(c)) return false;
  }
  return true;
}
constexpr bool is_word(char c) { return is_lower(c) || is_digit(c) || c == '_'; }
}  // namespace detail

inline constexpr std::string_view kServiceNameRule = "[a-z][a-z0-9_]{0,254}";
inline constexpr std::string_view kNodeNameRule = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}, and not \"local\"";

/// Whether `name` may name a service: `[a-z][a-z0-9_]{0,254}`.
constexpr bool is_service_name(std::string_view name) {
  return detail::matches(name, 255, detail::is_lower, detail::is_word);
}

/// Whether `name` may name a plugin: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`.
constexpr bool is_plugin_name(std::string_view name) {
  const auto alphanumeric = [](char c) { return detail::is_letter(c) || detail::is_digit(c); };
  return detail::matches(name, 63, alphanumeric,
                         [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

/// Whether `name` may name a node: as a plugin, but not `local`, which means "this one" in answers.
constexpr bool is_node_name(std::string_view name) { return is_plugin_name(name) && name != "local"; }

/// Whether `code` may be an error's code: `[a-z][a-z0-9_]{0,63}`.
constexpr bool is_error_code(std::string_view code) {
  return detail::matches(code, 64, detail::is_lower, detail::is_word);
}

/// Whether `id` may be a message's id, our own or a foreign one: 1–128 of `[A-Za-z0-9_-]`.
constexpr bool is_message_id(std::string_view id) {
  const auto allowed = [](char c) { return detail::is_letter(c) || detail::is_digit(c) || c == '_' || c == '-'; };
  return detail::matches(id, 128, allowed, allowed);
}

}  // namespace busbar
