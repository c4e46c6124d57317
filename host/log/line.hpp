// One log line, from its parts to its bytes. No I/O, so that tests can look at every byte.
#pragma once

#include "log/level.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace busbar::host {

/// One `key=value` of a log line.
/// Ownership: borrows the key and the text; both must live until the logging call returns, and no longer.
struct LogField {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  template <class T>
  constexpr LogField(std::string_view field_key, const T& field_value) : key(field_key), value(convert(field_value)) {}

  std::string_view key;
  Value value;

 private:
  template <class T>
  static constexpr Value convert(const T& from) {
    if constexpr (std::same_as<T, bool>) {
      return from;
    } else if constexpr (std::signed_integral<T>) {
      return static_cast<std::int64_t>(from);
    } else if constexpr (std::unsigned_integral<T>) {
      return static_cast<std::uint64_t>(from);
    } else if constexpr (std::floating_point<T>) {
      return static_cast<double>(from);
    } else {
      return std::string_view(from);
    }
  }
};

using LogFields = std::initializer_list<LogField>;

/// The ids of the call that a line is about, the same on every such line. What is empty is left out.
/// Ownership: borrowed, as a field's text.
struct CallIds {
  std::string_view message_id{};
  std::string_view correlation_id{};
  std::string_view traceparent{};  ///< that the message came with; empty: its trace is made of its ids
};

/// What a line looks like.
struct LineForm {
  constexpr LineForm(LogFormat line_format, bool is_for_journal = false) noexcept  // NOLINT: a format is one
      : format(line_format), for_journal(is_for_journal) {}
  LogFormat format;
  /// For systemd's journal, which knows when it got a line: no time of our own, and the level as `<4>` in front, which
  /// it takes away (sd-daemon(3)).
  bool for_journal;
};

/// A message in which something would look like a field stands in quotes.
/// Of a message, or of a field's text, what is longer is cut, and the cut is shown as `…`.
inline constexpr std::size_t kLongestInLine = 16 * 1024;

/// The line, without its end: `2026-01-02T03:04:05.678Z warn  host.dispatch: no provider for service service=greet`, or
/// `{"at":"…","level":"warn","logger":"host.dispatch","message":"no provider for service","service":"greet"}`.
/// Text values are quoted where a space, a quote or an equals sign would make them ambiguous. In JSON a field that is
/// named as one of the four fixed keys, or as an earlier field, gets a `_` behind it, because JSON keys must differ.
/// The ids follow the fields: `message_id=… correlation_id=…`.
std::string log_line(LineForm form, std::chrono::system_clock::time_point at, LogLevel level, std::string_view logger,
                     std::string_view message, LogFields fields, const CallIds& ids = {});

}  // namespace busbar::host
