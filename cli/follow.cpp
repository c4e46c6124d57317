#include "follow.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace busbar::cli {

namespace {

// An idle host is asked fifty times a second. What comes in a pause fits an answer up to 50,000 events a second; where
// more come some are missed, and counted.
constexpr int kPauseMs = 20;

void end(int) { ::_exit(0); }

}  // namespace

void end_quietly_when_interrupted() {
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) {
    struct sigaction ours {};
    ours.sa_handler = end;
    ::sigaction(number, &ours, nullptr);  // also where it is ignored, as by what a script runs in the background
  }
}

bool wait_while_open(int host, bool at_once) {
  std::array<pollfd, 2> watched = {{{host, POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};  // of the second: its end alone
  if (::poll(watched.data(), watched.size(), at_once ? 0 : kPauseMs) <= 0) return true;
  if ((watched[1].revents & (POLLERR | POLLHUP)) != 0) ::_exit(0);
  return watched[0].revents == 0;
}

}  // namespace busbar::cli
