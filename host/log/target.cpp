#include "log/target.hpp"

#include "log/text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace busbar::host {

LogTarget LogTarget::of(const LogSettings& settings) {
  if (settings.file.empty()) {
    const bool journal = is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
    return {{}, STDERR_FILENO, LineForm(settings.format, journal)};
  }
  const int descriptor = open_log_file(settings.file);
  if (descriptor < 0) {
    throw LogFileError("could not open the log file " + in_quotes(settings.file.native()) + ": " + error_text(errno) +
                       " (hint: log.file must name a file that this user may write, in a directory that exists)");
  }
  return {settings.file, descriptor, LineForm(settings.format)};
}

int open_log_file(const std::filesystem::path& file) noexcept {
  // Without waiting: of a named pipe that nobody reads yet it says so.
  constexpr int kHow = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  constexpr mode_t kMode = 0640;  // what is logged is not everybody's business
  int descriptor = -1;
  do {
    descriptor = ::open(file.c_str(), kHow, kMode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

bool is_journal(int descriptor, const char* journal_stream) noexcept {
  std::uintmax_t device = 0;
  std::uintmax_t inode = 0;
  int read = 0;
  if (journal_stream == nullptr ||
      std::sscanf(journal_stream, "%" SCNuMAX ":%" SCNuMAX "%n", &device, &inode, &read) != 2 ||
      journal_stream[read] != '\0') {
    return false;
  }
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

}  // namespace busbar::host
