// The other process of a figure: a server that this program starts, and what both have cost.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "pool/clock.hpp"

namespace bench {

// Where a server that was started by ServerProcess talks with the program that started it.
inline constexpr int kToStarter = 3;

// A child process with a pipe each way. It runs where the thread that starts it may run, and ends with it.
class ServerProcess {
 public:
  // Throws std::runtime_error if the program cannot be started.
  explicit ServerProcess(const std::vector<std::string>& command);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  pid_t pid() const { return pid_; }
  // The next line that it says; throws std::runtime_error if it ends instead.
  std::string line();
  void say(const std::string& line) const;
  // With -9. Returns when that is sent, not when the process has gone.
  void kill() const;

 private:
  pid_t pid_;
  int to_ = -1;
  int from_ = -1;
};

// Said by a server to whoever started it, a line at a time.
void say_to_starter(const std::string& line);

// This program, to be started again.
std::string own_program();

// What a process has used of processors until now, user and system, all threads.
busbar::host::Nanos cpu_time(pid_t pid);

}  // namespace bench
