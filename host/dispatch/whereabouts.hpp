// Which plugin each thread is inside: kept in memory that may outlive the process, for whoever asks after a crash.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace busbar::host {

/// One thread's word: the number of the plugin that it is inside (InstanceFacts::number), 0 for none.
using Place = std::atomic<std::uint32_t>;

/// The places of the process's threads. Threads: any.
class Whereabouts {
 public:
  /// Where they are kept from now on; those of threads that have one already stay where they are. Once, by who has a
  /// place to keep them that is never given back.
  static void keep_in(std::span<Place> places);

  /// This thread's own. One that finds no room has one of its own, which nobody sees.
  static Place& of_this_thread() noexcept {
    Place* const place = place_;
    return place != nullptr ? *place : find_place();
  }
  /// What this thread is inside of, without taking a place for it: a signal handler may ask.
  static std::uint32_t number_here() noexcept {
    const Place* const place = place_;
    return place != nullptr ? place->load(std::memory_order_relaxed) : 0;
  }

 private:
  static Place& find_place() noexcept;

  static thread_local constinit Place* place_;
};

/// Marks this thread as inside a plugin. They nest. Threads: the one that it is made on.
class InsidePlugin {
 public:
  explicit InsidePlugin(std::uint32_t number) noexcept
      : place_(Whereabouts::of_this_thread()), outer_(place_.load(std::memory_order_relaxed)) {
    place_.store(number, std::memory_order_relaxed);
  }
  ~InsidePlugin() { place_.store(outer_, std::memory_order_relaxed); }
  InsidePlugin(const InsidePlugin&) = delete;
  InsidePlugin& operator=(const InsidePlugin&) = delete;

 private:
  Place& place_;
  const std::uint32_t outer_;
};

}  // namespace busbar::host
