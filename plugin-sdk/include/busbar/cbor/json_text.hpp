// JSON text to CBOR.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "busbar/cbor/reader.hpp"
#include "busbar/cbor/sink.hpp"
#include "busbar/cbor/text.hpp"

namespace busbar {

/// A text is not JSON, or JSON that cannot be a payload. Lines and columns count from 1, columns in characters.
class JsonSyntaxError : public std::runtime_error {
 public:
  JsonSyntaxError(std::size_t line, std::size_t column, const std::string& text)
      : std::runtime_error("could not read JSON: line " + std::to_string(line) + ", column " + std::to_string(column) +
                           ": " + text),
        line_(line),
        column_(column),
        text_(std::make_shared<const std::string>(text)) {}

  std::size_t line() const noexcept { return line_; }
  std::size_t column() const noexcept { return column_; }
  /// What is wrong there, without the position.
  const std::string& text() const noexcept { return *text_; }

 private:
  std::size_t line_, column_;
  std::shared_ptr<const std::string> text_;
};

namespace cbor {
namespace detail {

/// Writes CBOR while it reads JSON, so that nothing but the result is built, every error has a place, and no number
/// passes through a type that is too narrow for it.
class JsonParser {
 public:
  JsonParser(std::string_view text, ByteSink& sink) : text_(text), sink_(sink) {}

  void parse() {
    check_depth();
    value();
    skip_space();
    if (at_ != text_.size()) fail("expected nothing more, found " + here());
  }

 private:
  /// A key of an object that is open: where it was written, and where it stands in the text.
  struct Key {
    std::size_t written;
    std::size_t at;
  };

  /// Brackets outside of strings, counted before anything else is done with the text.
  void check_depth() {
    unsigned depth = 0;
    for (at_ = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
          if (text_[at_] == '\\') ++at_;
      } else if (c == '[' || c == '{') {
        if (++depth > kMaxDepth) fail("nested deeper than 64");
      } else if ((c == ']' || c == '}') && depth > 0) {
        --depth;
      }
    }
    at_ = 0;
  }

  void value() {
    skip_space();
    const char c = peek();
    if (c == '{') return object();
    if (c == '[') return array();
    if (c == '"') return put_text(string());
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    if (literal("true")) return write_byte(sink_, kTrue);
    if (literal("false")) return write_byte(sink_, kFalse);
    if (literal("null")) return write_byte(sink_, kNull);
    fail("expected a value, found " + here());
  }

  void array() {
    const std::size_t head = sink_.size();
    write_byte(sink_, kArray);
    ++at_;
    std::uint64_t count = 0;
    for (bool first = true; !closed(']', first); first = false, ++count) value();
    patch_head(sink_, head, kArray, count);
  }

  void object() {
    const std::size_t start = at_;
    const std::size_t head = sink_.size();
    const std::size_t outer_keys = keys_.size();
    write_byte(sink_, kMap);
    ++at_;
    for (bool first = true; !closed('}', first); first = false) {
      skip_space();
      if (peek() != '"') fail("expected a key in quotes, found " + here());
      keys_.push_back({sink_.size(), at_});
      put_text(string());
      skip_space();
      if (peek() != ':') fail("expected \":\", found " + here());
      ++at_;
      value();
    }
    const std::size_t count = keys_.size() - outer_keys;
    check_keys(outer_keys);
    const bool is_bytes = count == 1 && bytes_object(head, start);
    keys_.resize(outer_keys);
    if (!is_bytes) patch_head(sink_, head, kMap, count);
  }

  /// Takes the bracket that ends an array or object, or the comma before its next element.
  bool closed(char bracket, bool first) {
    skip_space();
    if (peek() == bracket) {
      ++at_;
      return true;
    }
    if (first) return false;
    if (peek() != ',') fail(std::string("expected \",\" or \"") + bracket + "\", found " + here());
    ++at_;
    return false;
  }

  void check_keys(std::size_t from) {
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(from);
    std::sort(first, keys_.end(), [&](const Key& a, const Key& b) {
      const int order = written_text(a.written).compare(written_text(b.written));
      return order < 0 || (order == 0 && a.at < b.at);
    });
    const auto same = std::adjacent_find(first, keys_.end(), [&](const Key& a, const Key& b) {
      return written_text(a.written) == written_text(b.written);
    });
    if (same == keys_.end()) return;
    at_ = (same + 1)->at;
    fail("key \"" + std::string(written_text(same->written)) + "\" comes twice");
  }

  std::string_view written_text(std::size_t offset) const {
    Reader reader({sink_.data() + offset, sink_.size() - offset});
    const Head item = reader.head();
    return {reinterpret_cast<const char*>(reader.position), static_cast<std::size_t>(item.value)};
  }

  /// Turns {"$bytes": "base64"} that was written at `head` into bytes.
  bool bytes_object(std::size_t head, std::size_t start) {
    constexpr std::string_view kKey = "$bytes";
    const std::size_t value = head + 1 + 1 + kKey.size();
    if (written_text(head + 1) != kKey || (sink_.data()[value] & 0xE0) != kText) return false;
    const auto bytes = from_base64(written_text(value));
    if (!bytes) {
      at_ = start;
      fail("\"$bytes\" is not base64");
    }
    sink_.truncate(head);
    write_head(sink_, kBytes, bytes->size());
    sink_.append(bytes->data(), bytes->size());
    return true;
  }

  void put_text(const std::string& text) {
    write_head(sink_, kText, text.size());
    sink_.append(text.data(), text.size());
  }

  // -- strings

  const std::string& string() {
    scratch_.clear();
    for (++at_; peek() != '"';) {
      if (at_ == text_.size()) fail("expected the end of a string, found the end of the text");
      if (peek() == '\\') {
        escape();
        continue;
      }
      if (static_cast<unsigned char>(peek()) < 0x20) fail("a control character in a string has to be escaped");
      const auto* p = reinterpret_cast<const unsigned char*>(text_.data()) + at_;
      const std::size_t size = character_size(p, text_.size() - at_);
      if (size == 0) fail("a string is not valid UTF-8");
      scratch_.append(text_, at_, size);
      at_ += size;
    }
    ++at_;
    return scratch_;
  }

  void escape() {
    const std::size_t start = at_++;
    const char c = peek();
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t which = at_ == text_.size() ? std::string_view::npos : kLetters.find(c);
    ++at_;
    if (which != std::string_view::npos) {
      scratch_ += kMeanings[which];
      return;
    }
    if (c != 'u') fail_at(start, "a string has an escape that JSON does not know");
    std::uint32_t code = four_digits(start);
    if (code >= 0xD800 && code <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const std::uint32_t low = four_digits(start);
      if (low < 0xDC00 || low > 0xDFFF) fail_at(start, "half a surrogate pair is no character");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code <= 0xDFFF) fail_at(start, "half a surrogate pair is no character");
    put_character(code);
  }

  std::uint32_t four_digits(std::size_t start) {
    std::uint32_t code = 0;
    const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc() || digits.size() != 4 || end != digits.data() + 4)
      fail_at(start, "expected four hexadecimal digits behind \"\\u\"");
    at_ += 4;
    return code;
  }

  void put_character(std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { scratch_ += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
      put(0xC0 | code >> 6);
    } else if (code < 0x10000) {
      put(0xE0 | code >> 12);
      put(0x80 | (code >> 6 & 0x3F));
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
      put(0x80 | (code >> 6 & 0x3F));
    }
    put(0x80 | (code & 0x3F));
  }

  // -- numbers

  void number() {
    const std::size_t start = at_;
    if (peek() == '-') ++at_;
    const std::size_t first = at_;
    digits("a digit");
    if (text_[first] == '0' && at_ - first > 1) fail_at(first, "a number begins with a needless zero");
    const std::size_t integer_end = at_;
    if (peek() == '.') {
      ++at_;
      digits("a digit behind the point");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits("a digit of the exponent");
    }
    const std::string_view token = text_.substr(start, at_ - start);
    at_ == integer_end ? put_integer(start, token) : put_double(start, token);
  }

  void digits(const char* wanted) {
    if (peek() < '0' || peek() > '9') fail(std::string("expected ") + wanted + ", found " + here());
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  void put_integer(std::size_t start, std::string_view token) {
    const bool negative = token.front() == '-';
    if (negative) token.remove_prefix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    const std::uint64_t limit = std::uint64_t{1} << 63;
    if (error != std::errc() || (negative && value > limit))
      fail_at(start, "the integer " + shortened_number(text_.substr(start, at_ - start)) +
                         " is out of range: expected -9223372036854775808…18446744073709551615");
    negative&& value != 0 ? write_head(sink_, kNegative, value - 1) : write_head(sink_, kUnsigned, value);
  }

  void put_double(std::size_t start, std::string_view token) {
    double value = 0;
#if defined(__cpp_lib_to_chars)
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    // Out of range is both too large and too small; the exponent's sign does not always tell, the library's strtod
    // does.
    if (error == std::errc::result_out_of_range) value = by_library(token);
#else
    value = by_library(token);
#endif
    if (!std::isfinite(value)) fail_at(start, "the number " + shortened_number(token) + " is too large");
    std::uint8_t* to = sink_.reserve(kMaxHead);
    *to = kDouble;
    sink_.advance_to(put_number(to + 1, std::bit_cast<std::uint64_t>(value)));
  }

  /// Independent of the locale, and infinite when too large.
  static double by_library(std::string_view token) {
    const auto json = nlohmann::json::parse(token, nullptr, false);
    return json.is_number() ? json.get<double>() : std::numeric_limits<double>::infinity();
  }

  static std::string shortened_number(std::string_view token) {
    constexpr std::size_t kShown = 40;
    return std::string(token.substr(0, kShown)) + (token.size() > kShown ? "…" : "");
  }

  // -- the text

  /// The next character, or 0 at the end: which no JSON has outside of strings, nor bare inside them.
  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() noexcept {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
  }

  bool literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  /// What stands at the position, for an error.
  std::string here() const {
    if (at_ >= text_.size()) return "the end of the text";
    const auto* p = reinterpret_cast<const unsigned char*>(text_.data()) + at_;
    const std::size_t size = character_size(p, text_.size() - at_);
    if (size == 0 || *p < 0x20) return "byte " + std::to_string(*p);
    return "\"" + std::string(text_.substr(at_, size)) + "\"";
  }

  [[noreturn, gnu::noinline, gnu::cold]] void fail_at(std::size_t at, const std::string& what) {
    at_ = at;
    fail(what);
  }

  [[noreturn, gnu::noinline, gnu::cold]] void fail(const std::string& what) const {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] == '\n') {
        ++line;
        column = 1;
      } else if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) {
        ++column;
      }
    }
    throw JsonSyntaxError(line, column, what);
  }

  std::string_view text_;
  ByteSink& sink_;
  std::size_t at_ = 0;
  std::vector<Key> keys_;  // of all objects that are open
  std::string scratch_;
};

}  // namespace detail

/// One JSON document as CBOR. {"$bytes": "base64"} becomes bytes; integers stay exact.
/// Errors: JsonSyntaxError, also for what JSON allows and payloads do not: nesting deeper than 64, a key twice, text
/// that
///   is not UTF-8, an integer beyond -2^63 … 2^64 - 1, a number too large for a double.
inline std::vector<std::uint8_t> from_json_text(std::string_view text) {
  ByteSink sink;
  detail::JsonParser(text, sink).parse();
  return sink.take();
}

}  // namespace cbor
}  // namespace busbar
