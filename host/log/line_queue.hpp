// Lines on their way from those who log to the one who writes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace busbar::host {

/// A queue of at most so many bytes. Whoever puts a line there never waits: it takes no lock, and where there is no
/// room the line is lost, and counted. Threads: any put; one takes.
class LineQueue {
 public:
  struct Line {
    std::string text;
    std::uint64_t lost_before = 0; /* how many lines were lost between the one before and this one */
    std::unique_ptr<Line> next;
  };

  explicit LineQueue(std::size_t most_bytes) noexcept : most_bytes_(most_bytes) {}
  ~LineQueue();
  LineQueue(const LineQueue&) = delete;
  LineQueue& operator=(const LineQueue&) = delete;

  enum class Put { first, more, lost };
  /// Puts a copy of the line there, with its end. `first`: there was none, so who writes must be woken.
  Put put(std::string_view line) noexcept;
  /// Takes all lines, the oldest first; null: there is none.
  std::unique_ptr<Line> take() noexcept;
  /// A line that was taken is dealt with: its room is free.
  void done(const Line& line) noexcept;

  /// Lines that were lost, and that no line in the queue tells of; asked, they count as told.
  std::uint64_t take_lost() noexcept { return untold_.exchange(0, std::memory_order_relaxed); }
  /// All that were lost.
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }
  /// A line that was taken could not be written. Who takes tells of it.
  void count_lost() noexcept { lost_.fetch_add(1, std::memory_order_relaxed); }

  /// How many lines were put there so far, and how many of those are dealt with: in the order in which they were put.
  std::uint64_t all_put() const noexcept { return put_.load(std::memory_order_acquire); }
  std::uint64_t all_done() const noexcept { return done_.load(std::memory_order_acquire); }

 private:
  static std::size_t room_for(std::size_t size) noexcept { return size + sizeof(Line); }
  Put lose() noexcept;

  const std::size_t most_bytes_;
  std::atomic<Line*> newest_{nullptr};  // each owns the one before it
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::uint64_t> put_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::uint64_t> untold_{0};
};

}  // namespace busbar::host
