// The means to give up an asynchronous call.
#pragma once

#include <utility>

#include "dispatch/call.hpp"

namespace busbar::host {

/// An asynchronous call that can be given up. Ownership: holds its call's slot. Threads: any, one at a time.
class PendingCall {
 public:
  PendingCall() = default;
  explicit PendingCall(Call* call) noexcept : call_(call) {}
  PendingCall(PendingCall&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  PendingCall& operator=(PendingCall&& other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~PendingCall() {
    if (call_ != nullptr) call_->release();
  }
  /// Gives the call up: its handler sees that its caller is gone. True: the callback will not be called any more.
  bool cancel() noexcept { return call_ != nullptr && call_->cancel(); }

 private:
  Call* call_ = nullptr;
};

}  // namespace busbar::host
