// Whether a thread that goes round and round still does.
#pragma once

#include <atomic>
#include <cstdint>

namespace busbar {

/// Asked by somebody who then wakes the thread, and answered by that at each of its turns; neither waits.
/// Threads: `answer` by the one that turns, `ask` by one other.
class Pulse {
 public:
  /// To be called at each turn. Two loads as a rule.
  void answer() noexcept {
    const std::uint64_t asked = asked_.load(std::memory_order_acquire);
    if (answered_.load(std::memory_order_relaxed) != asked) answered_.store(asked, std::memory_order_release);
  }
  /// Asks once more. Returns whether there was an answer to the time before.
  bool ask() noexcept {
    const std::uint64_t asked = asked_.load(std::memory_order_relaxed);
    const bool turned = answered_.load(std::memory_order_acquire) == asked;
    asked_.store(asked + 1, std::memory_order_release);
    return turned;
  }

 private:
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::uint64_t> answered_{0};
};

}  // namespace busbar
