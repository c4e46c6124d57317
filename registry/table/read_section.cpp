#include "busbar/registry/read_section.hpp"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace busbar::registry {

namespace detail {

namespace {

std::atomic<ReaderSlot*> all_slots{nullptr};

long membarrier(int command) { return syscall(SYS_membarrier, command, 0U, 0); }

bool register_membarrier() { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0; }

// Gives the slot back when its thread ends.
struct SlotOwner {
  ReaderSlot* slot = nullptr;
  ~SlotOwner() {
    if (slot == nullptr) return;
    this_threads_slot = nullptr;
    slot->taken.store(false, std::memory_order_release);
  }
};

}  // namespace

std::atomic<bool> readers_need_fence{!register_membarrier()};
thread_local constinit ReaderSlot* this_threads_slot = nullptr;

ReaderSlot* take_reader_slot() {
  static thread_local SlotOwner owner;
  ReaderSlot* slot = nullptr;
  for (ReaderSlot* s = all_slots.load(std::memory_order_acquire); s != nullptr; s = s->next) {
    bool free = false;
    if (s->taken.compare_exchange_strong(free, true, std::memory_order_acq_rel)) {
      slot = s;
      break;
    }
  }
  if (slot == nullptr) {
    slot = new ReaderSlot;  // never freed: a publisher may be looking at it
    slot->next = all_slots.load(std::memory_order_relaxed);
    while (!all_slots.compare_exchange_weak(slot->next, slot, std::memory_order_acq_rel)) {
    }
  }
  owner.slot = slot;
  this_threads_slot = slot;
  return slot;
}

}  // namespace detail

void wait_for_readers(Reading what) {
  // Orders the publisher's swap before its look at the slots; the membarrier does the same for every reader.
  std::atomic<int> order{0};
  order.exchange(1, std::memory_order_seq_cst);
  if (!detail::readers_need_fence.load(std::memory_order_relaxed)) {
    detail::membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  }
  for (auto* slot = detail::all_slots.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    const auto& phase = slot->phases[static_cast<unsigned>(what)];
    const std::uint32_t seen = phase.load(std::memory_order_acquire);
    if ((seen & 1U) == 0) continue;
    // Only a preempted reader keeps us here; readers do not wait inside.
    while (phase.load(std::memory_order_acquire) == seen) sched_yield();
  }
}

}  // namespace busbar::registry
