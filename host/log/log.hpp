// Logging: named loggers that write fixed text plus key=value fields to standard error, one line each.
#pragma once

#include "log/level.hpp"
#include "log/line.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace busbar::host {

/// A named logger: `host.loader`, `host.dispatch`, `plugin.NAME`. Cheap to copy.
/// Ownership: owns its name, and shares the sink with its `Logs`, which it may outlive. What is logged is formatted
/// before the call returns, so that no pointer into a plugin stays behind.
/// Threads: any; lines are written whole. Errors: none thrown; a line that cannot be written is lost.
/// Example: log.warn("no provider for service", {{"service", name}, {"id", id}});
class Logger {
 public:
  /// A logger that writes nothing, for parts that are used without logging (tests, tools).
  Logger() noexcept = default;

  /// Whether a line of this level would be written; ask before making fields that cost something. One relaxed load.
  bool enabled(LogLevel level) const noexcept {
    return shared_ && static_cast<int>(level) >= shared_->level.load(std::memory_order_relaxed);
  }

  void write(LogLevel level, std::string_view message, LogFields fields = {}) const noexcept {
    if (enabled(level)) write_line(level, message, fields);
  }

  void trace(std::string_view message, LogFields fields = {}) const noexcept {
    write(LogLevel::trace, message, fields);
  }
  void debug(std::string_view message, LogFields fields = {}) const noexcept {
    write(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, LogFields fields = {}) const noexcept { write(LogLevel::info, message, fields); }
  void warn(std::string_view message, LogFields fields = {}) const noexcept { write(LogLevel::warn, message, fields); }
  void error(std::string_view message, LogFields fields = {}) const noexcept {
    write(LogLevel::error, message, fields);
  }

  std::string_view name() const noexcept { return name_; }

 private:
  friend class Logs;
  struct Shared {
    std::atomic<int> level;
    LogFormat format;
    std::shared_ptr<spdlog::logger> output;
  };
  Logger(std::shared_ptr<const Shared> shared, std::string name) : shared_(std::move(shared)), name_(std::move(name)) {}
  void write_line(LogLevel level, std::string_view message, LogFields fields) const noexcept;

  std::shared_ptr<const Shared> shared_;
  std::string name_;
};

/// The host's logging: where lines go, from which level on, in which form.
/// Nothing of it is in spdlog's global registry: a plugin that links the same spdlog and says `spdlog::shutdown()` or
/// `set_level` would otherwise silence the host.
/// Threads: any.
class Logs {
 public:
  /// Writes to standard error, synchronously: what was logged before a crash has been written.
  explicit Logs(LogSettings settings);

  /// Writes to `sink`, for tests and for programs that embed a host.
  Logs(LogSettings settings, std::shared_ptr<spdlog::sinks::sink> sink);

  Logger get(std::string name) const { return Logger(shared_, std::move(name)); }

  /// Takes effect at once, also for loggers that were handed out before.
  void set_level(LogLevel level) noexcept;

 private:
  std::shared_ptr<Logger::Shared> shared_;
};

}  // namespace busbar::host
