#include "transport/connection.hpp"

#include <new>
#include <utility>

#include "transport/shared_router.hpp"

namespace busbar::host {

Connection::Connection(ConnectionIdentity identity, std::shared_ptr<SharedRouter> router, std::size_t most_waiting)
    : identity_(std::move(identity)), router_(std::move(router)), most_waiting_(most_waiting) {}

Sent Connection::answer(std::span<const std::uint8_t> envelope, bool more_follow) noexcept {
  if (envelope.size() > identity_.max_message) return Sent::kTooLarge;
  Sent result = put(envelope);
  if (result == Sent::kYes) result = router_->submit(*this, more_follow);
  if (result != Sent::kYes) router_->count_unanswerable(1);
  if (result == Sent::kFull) router_->reads_too_slowly(*this);
  return result;
}

Sent Connection::put(std::span<const std::uint8_t> envelope) noexcept {
  const MutexLock lock(mutex_);
  if (gone()) return Sent::kDown;
  const std::size_t waiting = waiting_.load(std::memory_order_relaxed);
  const std::size_t most = most_waiting_ + (envelope.size() <= kBriefAnswer ? kReserveForBrief : 0);
  // One that is larger than the queue by itself goes when nothing else waits.
  if (waiting != 0 && waiting + envelope.size() > most) return Sent::kFull;
  try {
    frames_.append(envelope, identity_.max_message);
  } catch (const std::bad_alloc&) {
    return Sent::kFull;
  }
  waiting_.fetch_add(envelope.size(), std::memory_order_relaxed);
  return Sent::kYes;
}

std::size_t Connection::end() noexcept {
  std::vector<AnswerFrame> dropped;  // freed without the lock
  const MutexLock lock(mutex_);
  gone_.store(true, std::memory_order_release);
  const std::size_t envelopes = frames_.envelopes();
  dropped = frames_.take({});
  return envelopes;
}

std::vector<AnswerFrame> Connection::take(std::vector<AnswerFrame> empty) noexcept {
  const MutexLock lock(mutex_);
  return frames_.take(std::move(empty));
}

bool Connection::put_back(std::vector<AnswerFrame>& taken, std::size_t first) noexcept {
  const MutexLock lock(mutex_);
  if (gone()) return false;
  try {
    frames_.put_back(taken, first);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

}  // namespace busbar::host
