#include "transport/bell.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace busbar::host {

namespace {

int make_eventfd() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "cannot open an event descriptor");
  return descriptor;
}

}  // namespace

Bell::Bell() : descriptor_(make_eventfd()) {}
Bell::~Bell() { ::close(descriptor_); }

void Bell::ring() noexcept {
  // The exchange makes what was published visible to the hush() that takes this ring, or to the sleeper that it wakes.
  if (state_.exchange(kRung, std::memory_order_acq_rel) == kSleeping) ::eventfd_write(descriptor_, 1);
}

void Bell::sleep(pollfd* descriptors, std::size_t count, Nanos deadline) noexcept {
  descriptors[0] = {descriptor_, POLLIN, 0};
  std::uint32_t seen = kAwake;
  const bool quiet = state_.compare_exchange_strong(seen, kSleeping, std::memory_order_acq_rel);
  timespec left{};
  const bool bounded = !quiet || deadline != kNever;
  if (quiet && bounded) {
    const Nanos nanos = std::max<Nanos>(deadline - now_ns(), 0);
    left = {static_cast<time_t>(nanos / kSecond), static_cast<long>(nanos % kSecond)};
  }
  if (::ppoll(descriptors, count, bounded ? &left : nullptr, nullptr) <= 0) {
    // Nothing, or a signal: the caller looks around anyway.
    for (std::size_t i = 0; i < count; ++i) descriptors[i].revents = 0;
  }
  if (descriptors[0].revents != 0) {
    eventfd_t count_of_rings = 0;
    ::eventfd_read(descriptor_, &count_of_rings);
  }
}

}  // namespace busbar::host
