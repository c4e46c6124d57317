#include "log/text.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <system_error>

namespace busbar::host {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code = kReplacement;
  std::size_t size = 1; /* bytes it took; an invalid one is passed over alone */
};

/// The first code point of `text`, which is not empty. Overlong forms and surrogates are invalid.
Decoded decode_first(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  char32_t code = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, size};
}

constexpr bool must_be_escaped(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) ||  // control characters
         (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0x061C ||  // line and paragraph separators, marks of direction
         code == 0xFEFF;
}

void append_escape(std::string& out, char32_t code) {
  switch (code) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(code >> shift) & 0xF];
}

template <bool kQuotes>
void append(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const Decoded decoded = decode_first(text);
    if (kQuotes && (decoded.code == '"' || decoded.code == '\\')) {
      out += '\\';
      out += text.front();
    } else if (must_be_escaped(decoded.code)) {
      append_escape(out, decoded.code);
    } else if (decoded.code == kReplacement) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(0, decoded.size);
    }
    text.remove_prefix(decoded.size);
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) { append<true>(out, text); }

void append_printable(std::string& out, std::string_view text) { append<false>(out, text); }

std::string_view beginning(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return text;
  while (longest > 0 && (static_cast<unsigned char>(text[longest]) & 0xC0) == 0x80) --longest;
  return text.substr(0, longest);
}

std::string in_quotes(std::string_view text, std::size_t longest) {
  const std::string_view shown = beginning(text, longest);
  std::string out = "\"";
  append_escaped(out, shown);
  out += shown.size() < text.size() ? "…\"" : "\"";
  return out;
}

std::string utc_text(std::chrono::system_clock::time_point at) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(at);
  const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(at - whole).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  std::string out(text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc));
  std::snprintf(text.data(), text.size(), ".%03dZ", static_cast<int>(milliseconds));
  return out += text.data();
}

std::string error_text(int error) {
  std::string text = std::generic_category().message(error);
  // An abbreviation ("RPC …", "NFS …") keeps its capitals.
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (is_capital(text[0]) && !is_capital(text[1])) text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

}  // namespace busbar::host
