// Read sections: how lookups read a snapshot without a lock, and how its publisher knows when nobody does any more.
//
// Userspace RCU in its smallest form. A reader marks its own slot and reads the pointer; a publisher swaps the pointer
// and waits until every reader that was inside has left. The reader's mark must be visible before its read of the
// pointer; instead of paying for a full barrier on each lookup, the publisher makes every thread of the process run
// one (membarrier(2), Linux 4.14). Where the kernel has none, readers pay.
#pragma once

#include <atomic>
#include <cstdint>

namespace busbar::registry {

namespace detail {

struct alignas(64) ReaderSlot {
  std::atomic<std::uint32_t> phase{0};  // odd: inside a read section
  std::atomic<bool> taken{true};
  ReaderSlot* next = nullptr;  // the list of all slots only grows
};

extern std::atomic<bool> readers_need_fence;
extern thread_local constinit ReaderSlot* this_threads_slot;
ReaderSlot* take_reader_slot();

}  // namespace detail

/// Marks this thread as reading. Must be short, must not be nested, and must not wait for anything.
/// Threads: any; ends on the thread on which it began. Errors: std::bad_alloc for a thread's first one.
class ReadSection {
 public:
  ReadSection()
      : slot_(detail::this_threads_slot != nullptr ? detail::this_threads_slot : detail::take_reader_slot()),
        phase_(slot_->phase.load(std::memory_order_relaxed)) {
    if (detail::readers_need_fence.load(std::memory_order_relaxed)) {
      slot_->phase.exchange(phase_ + 1, std::memory_order_seq_cst);
    } else {
      slot_->phase.store(phase_ + 1, std::memory_order_relaxed);
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the mark comes first in the program's order
  }
  ~ReadSection() { slot_->phase.store(phase_ + 2, std::memory_order_release); }
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;

 private:
  detail::ReaderSlot* slot_;
  std::uint32_t phase_;
};

/// Returns when every read section that had begun before the call has ended. Threads: any, outside a read section.
void wait_for_readers();

}  // namespace busbar::registry
