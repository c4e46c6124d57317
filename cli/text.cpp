#include "text.hpp"

#include <busbar/cbor/text.hpp>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <system_error>

namespace busbar::cli {

namespace {

/// The character at `p`, which is `size` bytes long and valid.
std::uint32_t code_point(const unsigned char* p, std::size_t size) {
  if (size == 1) return p[0];
  std::uint32_t code = p[0] & (0xFFu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code = code << 6 | (p[i] & 0x3Fu);
  return code;
}

/// Whether a terminal acts upon it, or it changes how what stands around it is read.
bool is_unsafe(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code <= 0x9F);
  const bool direction = code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
                         (code >= 0x2066 && code <= 0x2069);
  const bool line_break = code == 0x2028 || code == 0x2029;
  return control || direction || line_break || code == 0xFEFF;
}

std::string made_safe(std::string_view text, bool keep_line_breaks) {
  std::string out;
  out.reserve(text.size());
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = cbor::detail::character_size(p + i, text.size() - i);
    const std::uint32_t code = size == 0 ? 0 : code_point(p + i, size);
    if (size == 0) {
      out += "\xEF\xBF\xBD";
    } else if (is_unsafe(code) && !(keep_line_breaks && code == '\n')) {
      char escape[8];
      const auto short_code = static_cast<std::uint16_t>(code);  // none of them is larger
      std::snprintf(escape, sizeof escape, "\\u%04x", short_code);
      out += escape;
    } else {
      out.append(text, i, size);
    }
    i += std::max<std::size_t>(size, 1);
  }
  return out;
}

/// How many columns a terminal needs for it, where every character takes one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

const char* escape_of(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::dim:
      return "\033[2m";
    case Colour::bold:
      return "\033[1m";
    case Colour::green:
      return "\033[32m";
    case Colour::red:
      return "\033[31m";
    case Colour::yellow:
      return "\033[33m";
    case Colour::cyan:
      return "\033[36m";
  }
  return "";
}

}  // namespace

std::string printable(std::string_view text) { return made_safe(text, false); }
std::string printable_json(std::string_view json) { return made_safe(json, true); }

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  if (text.size() <= kLongest) return "\"" + printable(text) + "\"";
  std::size_t size = kLongest;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return "\"" + printable(text.substr(0, size)) + "…\"";
}

std::string error_text(int error) {
  std::string text = std::generic_category().message(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

std::string Palette::operator()(Colour colour, std::string_view text) const {
  if (!coloured_ || colour == Colour::none || text.empty()) return std::string(text);
  return escape_of(colour) + std::string(text) + "\033[0m";
}

std::string table(const std::vector<std::string>& head, const std::vector<std::vector<Cell>>& rows,
                  const Palette& palette) {
  if (rows.empty()) return {};
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < head.size(); ++column) {
    std::size_t widest = width(head[column]);
    for (const auto& row : rows) widest = std::max(widest, width(row[column].text));
    widths.push_back(widest);
  }
  std::string out;
  const auto add_row = [&](const std::vector<Cell>& row) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      out += palette(row[column].colour, row[column].text);
      if (column + 1 == row.size()) break;
      out.append(widths[column] - width(row[column].text) + 2, ' ');
    }
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  };
  std::vector<Cell> titles;
  for (const std::string& title : head) titles.push_back({title, Colour::bold});
  add_row(titles);
  for (const auto& row : rows) add_row(row);
  return out;
}

}  // namespace busbar::cli
