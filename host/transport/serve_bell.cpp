#include "transport/serve_bell.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <system_error>

namespace busbar::host {

namespace {

bool add(int epoll, int descriptor) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void set_timer(int descriptor, Nanos delay) noexcept {
  itimerspec when{};
  when.it_value = {static_cast<time_t>(delay / kSecond), static_cast<long>(delay % kSecond)};
  ::timerfd_settime(descriptor, 0, &when, nullptr);
}

}  // namespace

ServeBell::ServeBell()
    : all_(::epoll_create1(EPOLL_CLOEXEC)),
      now_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      later_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (all_ >= 0 && now_ >= 0 && later_ >= 0 && add(all_, now_) && add(all_, later_)) return;
  const int error = errno;
  for (const int descriptor : {all_, now_, later_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
  throw std::system_error(error, std::generic_category(), "cannot open the descriptors of the serving thread's bell");
}

ServeBell::~ServeBell() {
  ::close(all_);
  ::close(now_);
  ::close(later_);
}

void ServeBell::watch(int other) {
  if (add(all_, other)) return;
  throw std::system_error(errno, std::generic_category(), "cannot watch one more descriptor");
}

void ServeBell::ring() noexcept { ::eventfd_write(now_, 1); }
void ServeBell::ring_in(Nanos delay) noexcept { set_timer(later_, delay); }
void ServeBell::cancel() noexcept { set_timer(later_, 0); }

bool ServeBell::take() noexcept {
  epoll_event rung[3];
  const int count = ::epoll_wait(all_, rung, std::size(rung), 0);
  bool other = false;
  for (int i = 0; i < count; ++i) {
    if (rung[i].data.fd != now_ && rung[i].data.fd != later_) {
      other = true;
      continue;
    }
    std::uint64_t rings = 0;
    [[maybe_unused]] const auto size = ::read(rung[i].data.fd, &rings, sizeof rings);
  }
  return other;
}

}  // namespace busbar::host
