#pragma once

#include <unistd.h>

#include <utility>

namespace busbar::host {

/// Owns a file descriptor.
/// Ownership: closes it when destroyed.
class DescriptorGuard {
 public:
  DescriptorGuard() = default;
  explicit DescriptorGuard(int descriptor) : descriptor_(descriptor) {}
  DescriptorGuard(DescriptorGuard&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DescriptorGuard& operator=(DescriptorGuard&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~DescriptorGuard() { reset(); }

  bool valid() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }
  void reset() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_ = -1;
};

}  // namespace busbar::host
