#include "dispatch/call_slab.hpp"

namespace busbar::host {

struct CallSlab::Store {
  Call* first = nullptr;
  std::size_t count = 0;
  ~Store() { CallSlab::instance().give_back(*this, 0); }
};

CallSlab& CallSlab::instance() {
  // Never destroyed: threads that outlive main may still hold calls.
  static CallSlab& slab = *new CallSlab;
  return slab;
}

CallSlab::Store& CallSlab::this_threads_store() {
  static thread_local Store store;
  return store;
}

Call& CallSlab::acquire() {
  Store& store = this_threads_store();
  if (store.first == nullptr) refill(store);
  Call* call = store.first;
  store.first = call->next_free_;
  --store.count;
  return *call;
}

void CallSlab::recycle(Call& call) noexcept {
  Store& store = this_threads_store();
  call.next_free_ = store.first;
  store.first = &call;
  if (++store.count >= 2 * kBatch) give_back(store, kBatch);
}

void CallSlab::refill(Store& store) {
  const MutexLock lock(mutex_);
  while (free_ != nullptr && store.count < kBatch) {
    Call* call = free_;
    free_ = call->next_free_;
    call->next_free_ = store.first;
    store.first = call;
    ++store.count;
  }
  if (store.count != 0) return;
  const std::size_t count = chunk_count_.load(std::memory_order_relaxed);
  if (count == kMostChunks) throw std::bad_alloc();
  chunks_[count] = std::make_unique<Chunk>();
  auto index = static_cast<std::uint32_t>(count * kBatch);
  for (auto& call : chunks_[count]->calls) {
    call.index_ = index++;
    call.next_free_ = store.first;
    store.first = &call;
    ++store.count;
  }
  chunk_count_.store(count + 1, std::memory_order_release);
}

void CallSlab::give_back(Store& store, std::size_t keep) noexcept {
  const MutexLock lock(mutex_);
  while (store.count > keep) {
    Call* call = store.first;
    store.first = call->next_free_;
    call->next_free_ = free_;
    free_ = call;
    --store.count;
  }
}

}  // namespace busbar::host
