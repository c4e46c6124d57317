// A plugin's new calls wait, while its state or what it alone may have goes over to another version.
#pragma once

#include <memory>
#include <string>

#include "dispatch/instance.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

/// From its beginning on, calls of the plugin wait at its gates, within their own budgets; also those that would run on
/// their callers' threads. Ends by letting them go on where they wait, at another version, or not at all.
/// Ownership: keeps the instance. Threads: one; calls may come from any meanwhile.
class Hold {
 public:
  explicit Hold(std::shared_ptr<Instance> instance);
  /// They go on where they wait, unless they have moved.
  ~Hold();
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  /// Waits until nobody is inside any more but those that are held. False: the deadline came first.
  bool wait_until_quiet(Nanos deadline) const;
  /// What wait_until_quiet still waits for.
  std::uint64_t calls_inside() const noexcept;

  /// They go on at that version. After its services were published in place of those of this one.
  void move_to(Instance& next) noexcept;
  /// They are told that the plugin is gone, and why. After its services were withdrawn.
  void refuse_all(const std::string& why) noexcept;

 private:
  template <class Do>
  void empty(Do&& with_each) noexcept;
  std::size_t waiting() const noexcept;

  const std::shared_ptr<Instance> instance_;
  bool over_ = false;
};

}  // namespace busbar::host
