// The thread that writes the log.
#pragma once

#include "log/target.hpp"

#include <spdlog/sinks/sink.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

namespace busbar::host {

/// Writes lines on a thread of its own, "busbar-log", in the order in which they were logged (docs/decisions/0025).
/// Whoever logs never waits for it: up to 4 MiB wait to be written, and a line for which there is no room, or which
/// cannot be written, is lost and counted. As soon as there is room again a line says how many were. Ownership: shared
/// by those that log; the target's descriptor belongs to it. Threads: any.
class LogWriter final : public spdlog::sinks::sink {
 public:
  /// Errors: std::system_error where the thread cannot be started.
  explicit LogWriter(LogTarget target);
  /// Writes what is left, for at most a second.
  ~LogWriter() override;

  LineForm form() const noexcept;
  /// Takes one complete line without its end.
  void log(const spdlog::details::log_msg& line) override;
  void flush() override {}  // lines are on their way at once
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  /// Has the file opened anew, before the next line is written; it goes on with the old one where that fails, and says
  /// so. Does not wait. Nothing with standard error.
  void reopen() noexcept;
  /// Waits until what was logged before is written or lost, at most so long. False: that was not enough. A signal
  /// handler may ask.
  bool wait(std::chrono::milliseconds at_most) const noexcept;
  /// Writes to the same place at once, as far as it takes it within a second; nothing is begun on the heap. For a
  /// signal handler that ends the process.
  void write_last(std::string_view bytes) const noexcept;

  std::uint64_t dropped() const noexcept;

 private:
  class Core;
  const std::shared_ptr<Core> core_;  // shared with the thread, which is left alone where it does not end
};

}  // namespace busbar::host
