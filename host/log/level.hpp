// How much is logged, where to and in which form: the words that configuration and logging share.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
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
  std::map<std::string, LogLevel, std::less<>> levels{}; /* of parts, in place of `level` */
  std::filesystem::path file{};                          /* empty: standard error */
  std::chrono::milliseconds slow_call{1'000};            /* a call that takes longer is told; 0: none is */
};

inline constexpr std::array<std::string_view, 5> kLogLevelNames = {"trace", "debug", "info", "warn", "error"};
inline constexpr std::array<std::string_view, 2> kLogFormatNames = {"text", "json"};

/// The parts of a host that log, beside its plugins, which are `plugin.NAME`. `host` is all of them.
inline constexpr std::array<std::string_view, 6> kLogParts = {"host",          "host.admin", "host.cluster",
                                                              "host.dispatch", "host.http",  "host.loader"};

constexpr std::string_view to_text(LogLevel level) { return kLogLevelNames[static_cast<std::size_t>(level)]; }
constexpr std::string_view to_text(LogFormat format) { return kLogFormatNames[static_cast<std::size_t>(format)]; }

/// The level of that name; nothing where it is none.
constexpr std::optional<LogLevel> log_level_of(std::string_view name) {
  for (std::size_t i = 0; i < kLogLevelNames.size(); ++i) {
    if (kLogLevelNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

}  // namespace busbar::host
