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

  /// A free slot; from this thread's own store, without a lock, but for every 32nd. Errors: std::bad_alloc, also when a
  /// million are in use.
  Call& acquire();
  void recycle(Call& call) noexcept;

  /// The slot of that number (Call::index), in use or free; null where there is none.
  Call* find(std::uint32_t index) noexcept {
    if (index / kBatch >= chunk_count_.load(std::memory_order_acquire)) return nullptr;
    return &chunks_[index / kBatch]->calls[index % kBatch];
  }

  /// Calls `visit` with every slot, free ones included.
  template <class Visit>
  void for_each(Visit&& visit) {
    const std::size_t count = chunk_count_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < count; ++i) {
      for (auto& call : chunks_[i]->calls) visit(call);
    }
  }

 private:
  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kMostChunks = (std::size_t{1} << Call::kIndexBits) / kBatch;
  struct Chunk {
    std::array<Call, kBatch> calls;
  };
  struct Store;  // a thread's own

  CallSlab() = default;
  static Store& this_threads_store();
  void refill(Store& store);
  void give_back(Store& store, std::size_t keep) noexcept;

  // Only grows; an entry is written before the count that includes it.
  std::array<std::unique_ptr<Chunk>, kMostChunks> chunks_;
  std::atomic<std::size_t> chunk_count_{0};
  Mutex mutex_;
  Call* free_ BUSBAR_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace busbar::host
