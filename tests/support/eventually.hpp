// Waiting for what has no bell of its own.
#pragma once

#include <chrono>
#include <thread>

namespace busbar::testing {

/// Far enough for a slow machine with sanitizers; only a broken test waits this long.
inline constexpr std::chrono::seconds kFarAway{60};

/// Waits until the condition holds. For counters, and for what another thread is about to do.
template <class Condition>
bool eventually(Condition&& condition) {
  const auto limit = std::chrono::steady_clock::now() + kFarAway;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace busbar::testing
