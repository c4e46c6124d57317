#include "dev/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

using namespace std::chrono_literals;

// What is left of a build removes what it has not finished; that takes no longer.
constexpr auto kOrderlyEnd = 5s;

// The child's side, between fork and exec: nothing but system calls. Writes the error to `said` if it comes to nothing.
[[noreturn]] void become(char* const* arguments, int when_orphaned, pid_t parent, int said) {
  ::prctl(PR_SET_PDEATHSIG, when_orphaned);
  if (::getppid() != parent) ::_exit(127);  // it has ended meanwhile, and would not be told of any more
  ::setpgid(0, 0);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = ::open("/dev/null", O_RDONLY);  // the terminal's input is not theirs
  if (input > 0) ::dup2(input, 0);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execvp(arguments[0], arguments);
  const int error = errno;
  [[maybe_unused]] const ssize_t ignored = ::write(said, &error, sizeof error);
  ::_exit(127);
}

Failure not_started(const std::string& program, int error, const std::string& hint) {
  return Failure(ExitStatus::error, failure_code::kLocal,
                 "could not run " + in_quotes(program) + ": " + error_text(error), error == ENOENT ? hint : "");
}

// Nothing where the child has become its program.
int error_of(int said) {
  int error = 0;
  ssize_t size = 0;
  do size = ::read(said, &error, sizeof error);
  while (size < 0 && errno == EINTR);
  ::close(said);
  return size == static_cast<ssize_t>(sizeof error) ? error : 0;
}

}  // namespace

std::string ChildEnd::text() const {
  if (signal == 0) return "exit status " + std::to_string(status);
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "signal SIG" + std::string(name);
}

Child::Child(std::vector<std::string> arguments, int when_orphaned, const std::string& hint) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int said[2];
  if (::pipe2(said, O_CLOEXEC) != 0) throw not_started(arguments[0], errno, hint);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(pointers.data(), when_orphaned, parent, said[1]);
  int error = pid_ < 0 ? errno : 0;
  ::close(said[1]);
  if (pid_ > 0) {
    error = error_of(said[0]);
    end_of_it_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));  // with close-on-exec
    if (error == 0 && end_of_it_ < 0) error = errno;
  } else {
    ::close(said[0]);
  }
  if (error == 0) {
    group_ = pid_;
    return;
  }
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (end_of_it_ >= 0) ::close(end_of_it_);
  throw not_started(arguments[0], error, hint);
}

Child::~Child() {
  if (pid_ > 0) {
    signal_group(SIGKILL);
    wait();
  }
  ::close(end_of_it_);
}

void Child::signal(int number) const noexcept {
  if (pid_ > 0) ::kill(pid_, number);
}

void Child::signal_group(int number) const noexcept { ::kill(-group_, number); }

ChildEnd Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  ChildEnd end;
  if (WIFEXITED(status)) end.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

// Of children of the child nobody tells when they have ended, so that they are looked for.
void Child::end_group() {
  signal_group(SIGTERM);
  const auto patience = std::chrono::steady_clock::now() + kOrderlyEnd;
  pollfd end{end_of_it_, POLLIN, 0};
  if (pid_ > 0 && ::poll(&end, 1, kOrderlyEnd / 1ms) == 0) signal_group(SIGKILL);
  if (pid_ > 0) wait();
  while (::kill(-group_, 0) == 0) {
    if (std::chrono::steady_clock::now() >= patience) signal_group(SIGKILL);
    std::this_thread::sleep_for(5ms);
  }
}

}  // namespace busbar::cli
