// What becomes of requests of other nodes and clients when this node leaves (decision 0016).
#include <chrono>
#include <thread>

#include "dispatch/call_slab.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

namespace {

constexpr std::chrono::milliseconds kLookAgain{1};

}  // namespace

void Dispatcher::refuse_requests() noexcept {
  refusing_.store(true, std::memory_order_relaxed);
  anteroom_.dismiss();
}

bool Dispatcher::serves_nodes() const {
  bool any = false;
  CallSlab::instance().for_each([&](const Call& call) { any = any || call.is_for_a_node_by(*this); });
  return any;
}

bool Dispatcher::wait_for_requests(Nanos deadline) const {
  if (!client_calls_.wait_until_none(deadline)) return false;
  // Looks rather than counts, so that no request pays for it. Twice in a row: one that was just being read when the
  // others began to be refused is a call by the second time.
  for (bool was_quiet = false;; std::this_thread::sleep_for(kLookAgain)) {
    const bool is_quiet = !serves_nodes();
    if (is_quiet && was_quiet) return true;
    if (now_ns() >= deadline) return false;
    was_quiet = is_quiet;
  }
}

}  // namespace busbar::host
