#include "remote/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <stdexcept>
#include <system_error>

namespace bench {

namespace {

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  return ends;
}

void write_line(int fd, const std::string& line) {
  const std::string bytes = line + "\n";
  if (::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    throw std::system_error(errno, std::generic_category(), "write to the other process");
  }
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const auto down = make_pipe(), up = make_pipe();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(down[0], STDIN_FILENO);
    ::dup2(up[1], kToStarter);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  to_ = down[1];
  from_ = up[0];
  ::close(down[0]);
  ::close(up[1]);
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
}

ServerProcess::~ServerProcess() {
  kill();
  ::waitpid(pid_, nullptr, 0);
  ::close(to_);
  ::close(from_);
}

std::string ServerProcess::line() {
  std::string line;
  for (char c = 0; ::read(from_, &c, 1) == 1;) {
    if (c == '\n') return line;
    line += c;
  }
  throw std::runtime_error("the server process has ended instead of saying something");
}

void ServerProcess::say(const std::string& line) const { write_line(to_, line); }

void ServerProcess::kill() const { ::kill(pid_, SIGKILL); }

void say_to_starter(const std::string& line) { write_line(kToStarter, line); }

std::string own_program() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return {path.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

busbar::host::Nanos cpu_time(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    throw std::runtime_error("the CPU time of process " + std::to_string(pid) + " cannot be read");
  }
  return static_cast<busbar::host::Nanos>(time.tv_sec) * busbar::host::kSecond + time.tv_nsec;
}

}  // namespace bench
