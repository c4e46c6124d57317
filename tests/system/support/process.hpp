// Programs, run as a user runs them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace busbar::system_tests {

/// How long anything may take before a test gives up on it. Far beyond what it takes, also with a sanitizer on a busy
/// machine; nothing is measured by it.
inline constexpr std::chrono::seconds kLimit{60};

/// Looks at `condition` again and again until it holds. False where it does not within `limit`.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = kLimit);

struct Command {
  std::vector<std::string> arguments;            ///< the program first
  std::map<std::string, std::string> variables;  ///< beside those of this process
  std::filesystem::path input = "/dev/null";     ///< a file for standard input
  std::filesystem::path scratch;                 ///< where its output is kept
  std::string machine{};                         ///< a network namespace's file, see Network; empty: this process's
};

/// How a process ended, and what it said.
struct Ended {
  int status = -1;  ///< its exit status; -1 where a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

/// A process. Ownership: one that still runs is killed by the destructor. Threads: one.
class Process {
 public:
  /// Errors: std::runtime_error where it cannot be started.
  explicit Process(const Command& command);
  ~Process();
  Process(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process& operator=(Process&&) = delete;

  pid_t pid() const noexcept { return pid_; }
  bool running() const;
  void signal(int number) const;
  /// Stops it, until `signal(SIGCONT)`, and waits until it stands: SIGSTOP alone lets its threads run on for a moment.
  void freeze() const;
  /// Waits for its end; nothing where it still runs after `limit`.
  std::optional<Ended> wait(std::chrono::milliseconds limit = kLimit);
  /// What it has said so far.
  std::string out() const;
  std::string err() const;

 private:
  pid_t pid_ = -1;
  int end_of_it_ = -1;  // a pidfd
  std::filesystem::path out_;
  std::filesystem::path err_;
};

/// Runs a program to its end. One that does not end within the limit has status -1, and says so in `err`.
Ended run(const Command& command);

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace busbar::system_tests
