// How kept events lie in memory: a block of records, written by one thread, read by any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "events/event_history.hpp"

namespace busbar::host {

/// The texts that all events of one message have in common. They are written once for as long as they stay the same.
struct EventSubject {
  std::string_view service, message_id, correlation_id, node;
  bool operator==(const EventSubject&) const = default;
};

/// Threads: one appends, any read.
class EventBlock {
 public:
  explicit EventBlock(std::uint64_t serial) noexcept : serial_(serial) {}

  std::uint64_t serial() const noexcept { return serial_; }
  std::uint64_t events() const noexcept { return events_.load(std::memory_order_acquire); }

  /// False: there is no room. A call as a whole is as many events as it stands for.
  bool append(const Event& event) noexcept;
  bool append(const WholeCall& call) noexcept;

  /// Appends the events from the one with this number on to `out`, as far as they happened before `cut` (ticks); their
  /// times are ticks, too: `at` and `duration` are left to who reads all blocks. Returns how many of the block have
  /// been seen then.
  std::uint64_t read(std::uint64_t from, std::uint64_t cut, std::vector<KeptEvent>& out) const;

 private:
  static constexpr std::size_t kBytes = 4'000;

  void written_to(const std::uint8_t* end, std::uint32_t events) noexcept;

  const std::uint64_t serial_;
  std::atomic<std::uint32_t> events_{0};  // as many as are written to their end

  // of the thread that appends
  std::uint32_t used_ = 0;
  EventSubject last_;  // lies in `bytes_`

  std::array<std::uint8_t, kBytes> bytes_;
};

}  // namespace busbar::host
