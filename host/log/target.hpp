// Where the lines of a log go.
#pragma once

#include "log/level.hpp"
#include "log/line.hpp"

#include <filesystem>
#include <stdexcept>

namespace busbar::host {

/// The log file cannot be opened, in words.
class LogFileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A descriptor to write to. Ownership: that of a file belongs to who takes the target; standard error to the process.
struct LogTarget {
  std::filesystem::path file; /* empty: standard error */
  int descriptor = 2;
  LineForm form = LogFormat::text;

  /// The file of the settings, opened; else standard error, which may be systemd's journal. Errors: LogFileError.
  static LogTarget of(const LogSettings& settings);
};

/// Opens a log file to append to; -1, and `errno` says why. Never waits for a reader.
int open_log_file(const std::filesystem::path& file) noexcept;

/// Whether the descriptor is the stream that systemd has connected to its journal: `journal_stream` is the value of
/// JOURNAL_STREAM (systemd.exec(5)), null where it is not set.
bool is_journal(int descriptor, const char* journal_stream) noexcept;

}  // namespace busbar::host
