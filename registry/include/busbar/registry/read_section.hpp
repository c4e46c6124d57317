// Read sections: how lookups read a snapshot without a lock, and how its publisher knows when nobody does any more.
//
// Userspace RCU in its smallest form. A reader marks its own slot and reads the pointer; a publisher swaps the pointer
// and waits until every reader that was inside has left. The reader's mark must be visible before its read of the
// pointer; instead of paying for a full barrier on each lookup, the publisher makes every thread of the process run
// one (membarrier(2), Linux 4.14). Where the kernel has none, readers pay.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace busbar::registry {

/// What is read. Publishers of one wait for its readers only.
enum class Reading : unsigned {
  kTable,      ///< the registry's table
  kObservers,  ///< a host's list of observers
};

namespace detail {

inline constexpr unsigned kReadings = 2;

struct alignas(64) ReaderSlot {
  std::array<std::atomic<std::uint32_t>, kReadings> phases{};  // odd: inside a read section
  std::atomic<bool> taken{true};
  ReaderSlot* next = nullptr;  // the list of all slots only grows
};

extern std::atomic<bool> readers_need_fence;
extern thread_local constinit ReaderSlot* this_threads_slot;
ReaderSlot* take_reader_slot();

}  // namespace detail

/// Marks this thread as reading. What it waits for its publisher waits for, too: a lookup must be short, and must not
/// wait for anything. May be nested.
/// Threads: any; ends on the thread on which it began. Errors: std::bad_alloc for a thread's first one.
template <Reading kWhat>
class BasicReadSection {
 public:
  BasicReadSection()
      : phase_((detail::this_threads_slot != nullptr ? detail::this_threads_slot : detail::take_reader_slot())
                   ->phases[static_cast<unsigned>(kWhat)]),
        outside_(phase_.load(std::memory_order_relaxed)) {
    const std::uint32_t inside = outside_ | 1U;  // nested: it is that already
    if (detail::readers_need_fence.load(std::memory_order_relaxed)) {
      phase_.exchange(inside, std::memory_order_seq_cst);
    } else {
      phase_.store(inside, std::memory_order_relaxed);
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the mark comes first in the program's order
  }
  ~BasicReadSection() {
    const std::uint32_t ended = (outside_ & 1U) != 0 ? outside_ : outside_ + 2;
    phase_.store(ended, std::memory_order_release);
  }
  BasicReadSection(const BasicReadSection&) = delete;
  BasicReadSection& operator=(const BasicReadSection&) = delete;

 private:
  std::atomic<std::uint32_t>& phase_;
  const std::uint32_t outside_;
};

/// A lookup's.
using ReadSection = BasicReadSection<Reading::kTable>;

/// Whether this thread is inside such a read section.
inline bool is_reading(Reading what) noexcept {
  const detail::ReaderSlot* slot = detail::this_threads_slot;
  return slot != nullptr && (slot->phases[static_cast<unsigned>(what)].load(std::memory_order_relaxed) & 1U) != 0;
}

/// Returns when every such read section that had begun before the call has ended. Threads: any that is outside of one.
void wait_for_readers(Reading what = Reading::kTable);

}  // namespace busbar::registry
