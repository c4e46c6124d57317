// How much is logged and in which form: the words that configuration and logging share.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace busbar::host {

/// How much a line matters; the numbers are those of `busbar_log_level`, so that a plugin's level converts by value.
/// error: needs a person · warn: we recovered · info: life of hosts and services · debug: each request · trace: frames.
enum class LogLevel : int { trace = 0, debug = 1, info = 2, warn = 3, error = 4 };

/// `text` is for people, `json` is one JSON object a line.
enum class LogFormat { text, json };

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
};

inline constexpr std::array<std::string_view, 5> kLogLevelNames = {"trace", "debug", "info", "warn", "error"};
inline constexpr std::array<std::string_view, 2> kLogFormatNames = {"text", "json"};

constexpr std::string_view to_text(LogLevel level) { return kLogLevelNames[static_cast<std::size_t>(level)]; }
constexpr std::string_view to_text(LogFormat format) { return kLogFormatNames[static_cast<std::size_t>(format)]; }

}  // namespace busbar::host
