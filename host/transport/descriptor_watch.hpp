// Whether this process can still open files: sockets, and whatever else has a descriptor.
#pragma once

#include <utility>

#include "log/log.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

// Who runs out of descriptors is not told by ZeroMQ: those who connect wait in the kernel, and everything that is open
// goes on. So it is tried once a second, and said when that changes. Threads: one at a time.
class DescriptorWatch {
 public:
  explicit DescriptorWatch(Logger log) : log_(std::move(log)) {}

  // Looks, when it is time; returns when it is time again.
  Nanos look(Nanos now) noexcept;

 private:
  void tell(bool none_left) const;

  const Logger log_;
  Nanos due_ = 0;
  bool none_left_ = false;
};

}  // namespace busbar::host
