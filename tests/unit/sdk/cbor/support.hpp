// What the tests of the CBOR layer share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "busbar/payload.hpp"

namespace busbar {
inline void PrintTo(const FieldError& error, std::ostream* out) {
  *out << "{\"" << error.path << "\", \"" << error.expected << "\", \"" << error.found << "\"}";
}
}  // namespace busbar

namespace busbar::testing {

using Bytes = std::vector<std::uint8_t>;

/// "83 01 02 03" as bytes.
inline Bytes hex(std::string_view text) {
  Bytes bytes;
  int digits = 0;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (digits++ % 2 == 0) {
      bytes.push_back(static_cast<std::uint8_t>(digit << 4));
    } else {
      bytes.back() = static_cast<std::uint8_t>(bytes.back() | digit);
    }
  }
  return bytes;
}

inline Bytes json(std::string_view text) { return cbor::from_json_text(text); }

template <class T>
Bytes encoded(const T& value) {
  cbor::ByteSink sink;
  cbor::encode(value, sink);
  return sink.take();
}

template <class T>
T decoded(const Bytes& bytes) {
  return cbor::decode<T>(bytes);
}

/// The faults of reading `bytes` as a T; none when it fits.
template <class T>
std::vector<FieldError> faults(const Bytes& bytes) {
  try {
    cbor::decode<T>(bytes);
  } catch (const DecodeError& error) {
    return error.fields();
  }
  return {};
}

/// What an exception of type E says; "nothing was thrown" when none was.
template <class E, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace busbar::testing
