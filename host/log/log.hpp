// Logging: named loggers that write fixed text plus key=value fields, one line each.
#pragma once

#include "log/level.hpp"
#include "log/levels.hpp"
#include "log/line.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
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

class LogWriter;

/// A named logger: `host.loader`, `host.dispatch`, `plugin.NAME`. Cheap to copy.
/// Ownership: shares its name, its level and where lines go with its `Logs`, which it may outlive. What is logged is
/// formatted before the call returns, so that no pointer into a plugin stays behind.
/// Threads: any; lines are written whole, and nobody waits for that. Errors: none thrown; a line that cannot be written
/// is lost, and counted.
/// Example: log.warn("no provider for service", {{"service", name}}, ids_of(call));
class Logger {
 public:
  /// A logger that writes nothing, for parts that are used without logging (tests, tools).
  Logger() noexcept = default;

  /// Whether a line of this level would be written; ask before making fields that cost something. One relaxed load.
  bool enabled(LogLevel level) const noexcept {
    return channel_ && static_cast<int>(level) >= channel_->level.load(std::memory_order_relaxed);
  }

  /// `ids`: of the call that the line is about, if it is about one.
  void write(LogLevel level, std::string_view message, LogFields fields = {}, const CallIds& ids = {}) const noexcept {
    if (enabled(level)) write_line(level, message, fields, ids);
  }

  void trace(std::string_view message, LogFields fields = {}, const CallIds& ids = {}) const noexcept {
    write(LogLevel::trace, message, fields, ids);
  }
  void debug(std::string_view message, LogFields fields = {}, const CallIds& ids = {}) const noexcept {
    write(LogLevel::debug, message, fields, ids);
  }
  void info(std::string_view message, LogFields fields = {}, const CallIds& ids = {}) const noexcept {
    write(LogLevel::info, message, fields, ids);
  }
  void warn(std::string_view message, LogFields fields = {}, const CallIds& ids = {}) const noexcept {
    write(LogLevel::warn, message, fields, ids);
  }
  void error(std::string_view message, LogFields fields = {}, const CallIds& ids = {}) const noexcept {
    write(LogLevel::error, message, fields, ids);
  }

  std::string_view name() const noexcept { return channel_ ? std::string_view(channel_->name) : std::string_view(); }

 private:
  friend class Logs;
  struct Output {
    LineForm form;
    std::shared_ptr<spdlog::logger> lines;
  };
  Logger(std::shared_ptr<const LogChannel> channel, std::shared_ptr<const Output> output)
      : channel_(std::move(channel)), output_(std::move(output)) {}
  void write_line(LogLevel level, std::string_view message, LogFields fields, const CallIds& ids) const noexcept;

  std::shared_ptr<const LogChannel> channel_;
  std::shared_ptr<const Output> output_;
};

/// A host's logging: where lines go, from which level on, in which form. Copies are the same one.
/// Nothing of it is in spdlog's global registry: a plugin that links the same spdlog and says `spdlog::shutdown()` or
/// `set_level` would otherwise silence the host.
/// Threads: any.
class Logs {
 public:
  /// Writes to the file, or to standard error, on a thread of its own (docs/decisions/0025): who logs never waits.
  /// Errors: LogFileError; std::system_error where the thread cannot be started.
  explicit Logs(const LogSettings& settings);

  /// Writes to `sink` on the callers' threads, for tests and for programs that embed a host.
  Logs(const LogSettings& settings, std::shared_ptr<spdlog::sinks::sink> sink);

  Logger get(std::string_view name) const { return Logger(levels_->channel(name), output_); }

  LogLevels& levels() const noexcept { return *levels_; }

  /// Has the file opened anew, for who has renamed it: what is logged from now on is in the new one. Where it cannot be
  /// opened, what is open goes on, and a line there says so. Nothing without a file.
  void reopen() const noexcept;
  /// Waits until what was logged before is written, at most so long. False: that was not enough.
  bool flush(std::chrono::milliseconds at_most) const noexcept;
  /// How many lines were lost so far: nobody took them in time, or they could not be written.
  std::uint64_t lines_dropped() const noexcept;
  /// Who writes; null with a sink. For whoever must write when nothing else works any more.
  std::shared_ptr<LogWriter> writer() const noexcept { return writer_; }

 private:
  Logs(const LogSettings& settings, LineForm form, std::shared_ptr<spdlog::sinks::sink> sink);

  std::shared_ptr<LogLevels> levels_;
  std::shared_ptr<LogWriter> writer_;
  std::shared_ptr<const Logger::Output> output_;
};

}  // namespace busbar::host
