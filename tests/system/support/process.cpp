#include "system/support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace busbar::system_tests {

namespace {

std::filesystem::path next_file(const std::filesystem::path& scratch, const char* kind) {
  static std::atomic<int> count{0};
  return scratch / (std::string(kind) + "-" + std::to_string(++count));
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!variables.contains(text.substr(0, text.find('=')))) out.push_back(text);
  }
  for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// The child's side, between fork and exec: nothing but system calls.
[[noreturn]] void become(char* const* arguments, char* const* environment, const char* input, const char* out,
                         const char* err, const char* machine) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves no host behind
  if (*machine != '\0' && setns(open(machine, O_RDONLY), CLONE_NEWNET) != 0) _exit(126);
  const int files[] = {open(input, O_RDONLY), open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
                       open(err, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600)};
  for (int i = 0; i < 3; ++i) dup2(files[i], i);
  close_range(3, ~0U, 0);
  execvpe(arguments[0], arguments, environment);
  _exit(127);
}

}  // namespace

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Process::Process(const Command& command)
    : out_(next_file(command.scratch, "out")), err_(next_file(command.scratch, "err")) {
  auto arguments = command.arguments;
  auto environment = environment_with(command.variables);
  const auto argument_pointers = pointers_to(arguments);
  const auto environment_pointers = pointers_to(environment);
  pid_ = fork();
  if (pid_ == 0) {
    become(argument_pointers.data(), environment_pointers.data(), command.input.c_str(), out_.c_str(), err_.c_str(),
           command.machine.c_str());
  }
  if (pid_ < 0) throw std::runtime_error("could not fork: " + std::string(std::strerror(errno)));
  end_of_it_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));  // glibc 2.36 has it, but not for C++
  if (end_of_it_ < 0) throw std::runtime_error("could not watch a child: " + std::string(std::strerror(errno)));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      end_of_it_(std::exchange(other.end_of_it_, -1)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (end_of_it_ >= 0) close(end_of_it_);
}

bool Process::running() const {
  pollfd end{end_of_it_, POLLIN, 0};
  return pid_ > 0 && poll(&end, 1, 0) == 0;
}

void Process::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void Process::freeze() const {
  if (pid_ <= 0) return;
  kill(pid_, SIGSTOP);
  siginfo_t what{};
  // The parent is told when the last thread stands. Its end is left for `wait`.
  const auto id = static_cast<id_t>(pid_);
  if (waitid(P_PID, id, &what, WSTOPPED | WEXITED | WNOWAIT) == 0 && what.si_code == CLD_STOPPED) {
    waitid(P_PID, id, &what, WSTOPPED | WNOHANG);
  }
}

std::optional<Ended> Process::wait(std::chrono::milliseconds limit) {
  pollfd end{end_of_it_, POLLIN, 0};
  if (pid_ <= 0 || poll(&end, 1, static_cast<int>(limit.count())) != 1) return std::nullopt;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  Ended ended;
  if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  ended.out = out();
  ended.err = err();
  return ended;
}

std::string Process::out() const { return read_file(out_); }
std::string Process::err() const { return read_file(err_); }

Ended run(const Command& command) {
  Process process(command);
  if (auto ended = process.wait()) return *ended;
  return {-1, 0, process.out(), process.err() + "\n(it did not end)"};
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();  // iterators would throw where reading fails, as of a thread in /proc that has ended meanwhile
  return out.str();
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!out.flush()) throw std::runtime_error("could not write \"" + path.string() + "\"");
}

}  // namespace busbar::system_tests
