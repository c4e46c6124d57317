// Wakes the serving thread out of its poll: at once, or a little later.
#pragma once

#include "pool/clock.hpp"

namespace busbar::host {

// Ownership: owns two descriptors, an eventfd and a timerfd.
// Threads: any; `ring_in` and `cancel` by one at a time.
class ServeBell {
 public:
  // Errors: std::system_error where there is no descriptor left.
  ServeBell();
  ~ServeBell();
  ServeBell(const ServeBell&) = delete;
  ServeBell& operator=(const ServeBell&) = delete;

  // Both descriptors become readable when it rings, one each.
  int now_descriptor() const noexcept { return now_; }
  int later_descriptor() const noexcept { return later_; }

  void ring() noexcept;
  void ring_in(Nanos delay) noexcept;
  void cancel() noexcept;  // what ring_in has planned
  void hush() noexcept;    // takes back what has rung

 private:
  int now_ = -1;
  int later_ = -1;
};

}  // namespace busbar::host
