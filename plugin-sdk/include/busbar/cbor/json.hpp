// CBOR to JSON and back: for people and for code that does not know the type.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "busbar/cbor/errors.hpp"
#include "busbar/cbor/json_text.hpp"
#include "busbar/cbor/reader.hpp"
#include "busbar/cbor/sink.hpp"
#include "busbar/cbor/text.hpp"
#include "busbar/cbor/traits.hpp"

namespace busbar::cbor {
namespace detail {

class JsonWriter {
 public:
  explicit JsonWriter(std::span<const std::uint8_t> item) : reader_(item) {}

  nlohmann::json whole(unsigned depth) {
    nlohmann::json json = value(depth);
    reader_.expect_end();
    return json;
  }

 private:
  nlohmann::json value(unsigned depth) {
    const Head item = reader_.item_head(depth);
    switch (item.major()) {
      case kUnsigned:
        return item.value;
      case kNegative:
        if (item.value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
          throw NotJson("an integer below -9223372036854775808");
        return -1 - static_cast<std::int64_t>(item.value);
      case kBytes: {
        std::vector<std::uint8_t> bytes;
        reader_.pieces(
            item, [&](const std::uint8_t* data, std::size_t size) { bytes.insert(bytes.end(), data, data + size); });
        nlohmann::json object = nlohmann::json::object();
        object["$bytes"] = to_base64(bytes);
        return object;
      }
      case kText: {
        std::string text;
        reader_.pieces(item, [&](const std::uint8_t* data, std::size_t size) {
          text.append(reinterpret_cast<const char*>(data), size);
        });
        return text;
      }
      case kArray:
        return array(item, depth);
      case kMap:
        return object(item, depth);
      default:
        return simple(item);
    }
  }

  nlohmann::json array(const Head& item, unsigned depth) {
    reader_.enter(depth);
    nlohmann::json json = nlohmann::json::array();
    for (std::uint64_t left = item.value; reader_.another(item, left);) json.push_back(value(depth + 1));
    return json;
  }

  nlohmann::json object(const Head& item, unsigned depth) {
    reader_.enter(depth);
    nlohmann::json json = nlohmann::json::object();
    auto& entries = json.get_ref<nlohmann::json::object_t&>();
    for (std::uint64_t left = item.value; reader_.another(item, left);) {
      const auto [entry, is_new] = entries.emplace(std::string(reader_.key()), nullptr);
      if (!is_new) reader_.fail("a map has a key twice");
      entry->second = value(depth + 1);
    }
    return json;
  }

  static nlohmann::json simple(const Head& item) {
    if (item.first == kFalse) return false;
    if (item.first == kTrue) return true;
    if (item.first == kNull || item.first == kUndefined) return nullptr;
    if (!is_float(item)) throw NotJson("simple value " + std::to_string(item.value));
    const double number = to_double(item);
    if (!std::isfinite(number)) throw NotJson("a number that is not finite");
    return number;
  }

  Reader reader_;
};

inline void write_json_text(ByteSink& sink, const std::string& text) {
  if (!is_utf8(text.data(), text.size()))
    throw EncodeError("could not write JSON to a payload: a text is not valid UTF-8");
  write_head(sink, kText, text.size());
  sink.append(text.data(), text.size());
}

inline void write_json_bytes(ByteSink& sink, std::span<const std::uint8_t> bytes) {
  write_head(sink, kBytes, bytes.size());
  sink.append(bytes.data(), bytes.size());
}

inline void write_json(ByteSink& sink, const nlohmann::json& json, unsigned depth);

inline void write_json_object(ByteSink& sink, const nlohmann::json& json, unsigned depth) {
  const auto only = json.begin();
  if (json.size() == 1 && only.key() == "$bytes" && only->is_string()) {
    const auto bytes = from_base64(only->get_ref<const std::string&>());
    if (!bytes) throw EncodeError("could not write JSON to a payload: \"$bytes\" is not base64");
    return write_json_bytes(sink, *bytes);
  }
  write_head(sink, kMap, json.size());
  for (const auto& [key, value] : json.items()) {
    write_json_text(sink, key);
    write_json(sink, value, depth + 1);
  }
}

inline void write_json(ByteSink& sink, const nlohmann::json& json, unsigned depth) {
  if (json.is_structured() && depth >= kMaxDepth)
    throw EncodeError("could not write JSON to a payload: it is nested deeper than 64");
  switch (json.type()) {
    case nlohmann::json::value_t::null:
      return write_byte(sink, kNull);
    case nlohmann::json::value_t::boolean:
      return write_byte(sink, json.get<bool>() ? kTrue : kFalse);
    case nlohmann::json::value_t::number_unsigned:
      return write_head(sink, kUnsigned, json.get<std::uint64_t>());
    case nlohmann::json::value_t::number_integer: {
      const auto value = json.get<std::int64_t>();
      const auto bits = static_cast<std::uint64_t>(value);
      return value < 0 ? write_head(sink, kNegative, ~bits) : write_head(sink, kUnsigned, bits);
    }
    case nlohmann::json::value_t::number_float: {
      const auto value = json.get<double>();
      if (!std::isfinite(value))
        throw EncodeError("could not write JSON to a payload: it has a number that is not finite");
      std::uint8_t* to = sink.reserve(kMaxHead);
      *to = kDouble;
      return sink.advance_to(put_number(to + 1, std::bit_cast<std::uint64_t>(value)));
    }
    case nlohmann::json::value_t::string:
      return write_json_text(sink, json.get_ref<const std::string&>());
    case nlohmann::json::value_t::binary:
      return write_json_bytes(sink, json.get_binary());
    case nlohmann::json::value_t::array:
      write_head(sink, kArray, json.size());
      for (const auto& element : json) write_json(sink, element, depth + 1);
      return;
    case nlohmann::json::value_t::object:
      return write_json_object(sink, json, depth);
    case nlohmann::json::value_t::discarded:
      throw EncodeError("could not write JSON to a payload: it is what is left of a text that did not parse");
  }
}

}  // namespace detail

/// A nlohmann::json member takes any item.
template <>
struct Codec<nlohmann::json> {
  static constexpr const char* kind() { return "anything"; }
  static void write(ByteSink& sink, const nlohmann::json& value, unsigned depth) {
    detail::write_json(sink, value, depth);
  }
  static nlohmann::json read(std::span<const std::uint8_t> item, unsigned depth) {
    return detail::JsonWriter(item).whole(depth);
  }
};

/// A payload for people. Bytes become {"$bytes": "base64"}; of tagged items, times among them, the tag is dropped.
/// Errors: MalformedPayload; NotJson for what JSON cannot say, NaN and infinities above all.
inline nlohmann::json to_json(std::span<const std::uint8_t> bytes) { return detail::JsonWriter(bytes).whole(0); }

/// The reverse: {"$bytes": "base64"} becomes bytes. Times stay text, which a time point takes as well.
/// Errors: EncodeError for text that is not UTF-8, nesting deeper than 64, NaN and infinities.
inline std::vector<std::uint8_t> from_json(const nlohmann::json& json) {
  ByteSink sink;
  detail::write_json(sink, json, 0);
  return sink.take();
}

}  // namespace busbar::cbor
