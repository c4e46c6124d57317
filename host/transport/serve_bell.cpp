#include "transport/serve_bell.hpp"

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace busbar::host {

namespace {

void set_timer(int descriptor, Nanos delay) noexcept {
  itimerspec when{};
  when.it_value = {static_cast<time_t>(delay / kSecond), static_cast<long>(delay % kSecond)};
  ::timerfd_settime(descriptor, 0, &when, nullptr);
}

}  // namespace

ServeBell::ServeBell()
    : now_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      later_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (now_ >= 0 && later_ >= 0) return;
  const int error = errno;
  if (now_ >= 0) ::close(now_);
  if (later_ >= 0) ::close(later_);
  throw std::system_error(error, std::generic_category(), "cannot open the descriptors of the serving thread's bell");
}

ServeBell::~ServeBell() {
  ::close(now_);
  ::close(later_);
}

void ServeBell::ring() noexcept { ::eventfd_write(now_, 1); }
void ServeBell::ring_in(Nanos delay) noexcept { set_timer(later_, delay); }
void ServeBell::cancel() noexcept { set_timer(later_, 0); }

void ServeBell::hush() noexcept {
  eventfd_t rings = 0;
  ::eventfd_read(now_, &rings);
  std::uint64_t expired = 0;
  [[maybe_unused]] const auto size = ::read(later_, &expired, sizeof expired);
}

}  // namespace busbar::host
