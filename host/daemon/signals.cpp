#include "daemon/signals.hpp"

#include <errno.h>
#include <pthread.h>

namespace busbar::host {

Signals::Signals() {
  sigemptyset(&set_);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signal);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int Signals::wait() const {
  int number = 0;
  while (sigwait(&set_, &number) != 0) {
  }
  return number;
}

std::optional<int> Signals::wait_for(std::chrono::milliseconds timeout) const {
  const timespec time{timeout.count() / 1000, timeout.count() % 1000 * 1'000'000};
  const int number = sigtimedwait(&set_, nullptr, &time);
  if (number < 0) return std::nullopt;
  return number;
}

}  // namespace busbar::host
