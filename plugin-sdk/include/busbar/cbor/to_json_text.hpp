// CBOR to JSON text, without a JSON value in between: what a plugin says of itself as it is created. Small above all,
// as every plugin compiles it.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "busbar/cbor/errors.hpp"
#include "busbar/cbor/reader.hpp"
#include "busbar/cbor/text.hpp"

namespace busbar::cbor {

/// A text in quotes. It must be valid UTF-8.
[[gnu::cold, gnu::noinline]] inline std::string json_string(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (byte < 0x20 || byte == 0x7F) {
      out.append("\\u00").append({kDigits[byte >> 4], kDigits[byte & 15]});
    } else {
      out += c;
    }
  }
  return out += '"';
}

namespace detail {

class JsonTextWriter {
 public:
  explicit JsonTextWriter(std::span<const std::uint8_t> item) : reader_(item) {}

  std::string whole() {
    value(0);
    reader_.expect_end();
    return std::move(out_);
  }

 private:
  [[gnu::cold]] void value(unsigned depth) {
    const Head item = reader_.item_head(depth);
    switch (item.major()) {
      case kUnsigned:
        out_ += std::to_string(item.value);
        return;
      case kNegative:
        if (item.value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
          throw NotJson("an integer below -9223372036854775808");
        out_ += std::to_string(-1 - static_cast<std::int64_t>(item.value));
        return;
      case kBytes: {
        const std::string bytes = all_of(item);
        out_ += "{\"$bytes\":" +
                json_string(to_base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()})) + "}";
        return;
      }
      case kText:
        out_ += json_string(all_of(item));
        return;
      case kArray:
      case kMap:
        return elements(item, depth, item.major() == kMap);
      default:
        return simple(item);
    }
  }

  std::string all_of(const Head& item) {
    std::string all;
    reader_.pieces(item, [&](const std::uint8_t* data, std::size_t size) {
      all.append(reinterpret_cast<const char*>(data), size);
    });
    return all;
  }

  [[gnu::cold]] void elements(const Head& item, unsigned depth, bool is_map) {
    reader_.enter(depth);
    out_ += is_map ? '{' : '[';
    bool first = true;
    for (std::uint64_t left = item.value; reader_.another(item, left); first = false) {
      if (!first) out_ += ',';
      if (is_map) out_ += json_string(reader_.key()) + ":";
      value(depth + 1);
    }
    out_ += is_map ? '}' : ']';
  }

  [[gnu::cold]] void simple(const Head& item) {
    if (item.first == kFalse || item.first == kTrue) {
      out_ += item.first == kTrue ? "true" : "false";
    } else if (item.first == kNull || item.first == kUndefined) {
      out_ += "null";
    } else if (is_float(item)) {
      number(to_double(item));
    } else {
      throw NotJson("simple value " + std::to_string(item.value));
    }
  }

  void number(double number) {
    if (!std::isfinite(number)) throw NotJson("a number that is not finite");
    char text[32];
    const char* end = std::to_chars(text, text + sizeof text, number).ptr;
    const std::string_view written(text, static_cast<std::size_t>(end - text));
    out_ += written;
    if (written.find_first_of(".e") == std::string_view::npos) out_ += ".0";  // it was no integer
  }

  Reader reader_;
  std::string out_;
};

}  // namespace detail

/// A payload as JSON text, its fields in their order. As `to_json`, but that it looks for no key that is there twice.
/// Errors: MalformedPayload, NotJson.
inline std::string to_json_text(std::span<const std::uint8_t> bytes) { return detail::JsonTextWriter(bytes).whole(); }

}  // namespace busbar::cbor
