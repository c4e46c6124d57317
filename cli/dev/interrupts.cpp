#include "dev/interrupts.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

Interrupts::Interrupts() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    ::sigaddset(&set, number);
    ::signal(number, SIG_DFL);  // also where it is ignored, as by what a script runs in the background
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ >= 0) return;
  throw Failure(ExitStatus::error, failure_code::kLocal, "could not wait for signals: " + error_text(errno));
}

Interrupts::~Interrupts() { ::close(signals_); }

bool Interrupts::take() const noexcept {
  signalfd_siginfo one;
  return ::read(signals_, &one, sizeof one) == static_cast<ssize_t>(sizeof one);
}

}  // namespace busbar::cli
