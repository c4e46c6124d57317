// Where calls live. Slots are reused, and never given back while the host lives: a deadline is watched by looking at
// every slot, so that starting and ending a call costs no timer.
#pragma once

#include <busbar/thread_safety.hpp>

#include <array>
#include <memory>
#include <vector>

#include "dispatch/call.hpp"

namespace busbar::host {

/// The process's calls. Threads: any.
class CallSlab {
 public:
  /// The one slab of the process: threads keep free slots at hand, and a thread may serve several hosts.
  static CallSlab& instance();

  /// A free slot; from this thread's own store, without a lock, but for every 32nd. Errors: std::bad_alloc.
  Call& acquire();
  void recycle(Call& call) noexcept;

  /// Calls `visit` with every slot, free ones included.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (Chunk* chunk = chunks_.load(std::memory_order_acquire); chunk != nullptr; chunk = chunk->next) {
      for (auto& call : chunk->calls) visit(call);
    }
  }

 private:
  static constexpr std::size_t kBatch = 32;
  struct Chunk {
    std::array<Call, kBatch> calls;
    Chunk* next = nullptr;
  };
  struct Store;  // a thread's own

  CallSlab() = default;
  static Store& this_threads_store();
  void refill(Store& store);
  void give_back(Store& store, std::size_t keep) noexcept;

  std::atomic<Chunk*> chunks_{nullptr};  // only grows
  Mutex mutex_;
  Call* free_ BUSBAR_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace busbar::host
