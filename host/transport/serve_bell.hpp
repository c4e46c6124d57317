// Wakes the serving thread out of its poll: at once, or a little later.
#pragma once

#include "pool/clock.hpp"

namespace busbar::host {

// One descriptor for all that is rare, so that the serving thread's poll has only that one and ZeroMQ's.
// Ownership: owns an epoll, an eventfd and a timerfd.
// Threads: any; `ring_in` and `cancel` by one at a time; `watch` and `take` by the serving thread.
class ServeBell {
 public:
  // Errors: std::system_error where there is no descriptor left.
  ServeBell();
  ~ServeBell();
  ServeBell(const ServeBell&) = delete;
  ServeBell& operator=(const ServeBell&) = delete;

  // Has another descriptor ring too, for as long as it is readable. It stays open for as long as the bell is used.
  // Errors: std::system_error.
  void watch(int other);

  // Readable when it rings.
  int descriptor() const noexcept { return all_; }

  void ring() noexcept;
  void ring_in(Nanos delay) noexcept;
  void cancel() noexcept;  // what ring_in has planned
  // Takes back what has rung; returns whether the other descriptor is readable.
  bool take() noexcept;

 private:
  int all_ = -1;
  int now_ = -1;
  int later_ = -1;
};

}  // namespace busbar::host
