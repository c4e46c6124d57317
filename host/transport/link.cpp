// A link for those that send and wait: who drives, who follows, and what is queued.
#include "transport/link.hpp"

#include <busbar/cbor/sink.hpp>

#include <new>
#include <utility>

#include "pool/futex.hpp"

namespace busbar::host {

namespace {

// A follower hardly ever gains by yielding: its driver has to be told by the kernel first.
constexpr unsigned kFollowersYields = 4;

}  // namespace

Link::Link(std::string name, std::uint64_t incarnation, std::string address, Limits limits,
           std::shared_ptr<LinkShared> shared)
    : Peer(std::move(name), incarnation),
      address_(std::move(address)),
      limits_(limits),
      shared_(std::move(shared)),
      max_message_(limits.max_message) {}

Link::~Link() = default;

// `size`: what it adds to what waits; 0 for a large one, whose room has been taken already.
Sent Link::refusal(std::size_t size, bool is_request) const {
  if (!routable() || (is_request && !asks_)) return Sent::kDown;
  if (size > max_message_.load(std::memory_order_relaxed)) return Sent::kTooLarge;
  const std::size_t waiting =
      outbox_.small_bytes() + in_hand_.load(std::memory_order_relaxed) + large_held_->load(std::memory_order_relaxed);
  // One that is larger than the queue by itself goes when nothing else waits.
  const std::size_t most = limits_.queue + (!is_request && size <= kBriefAnswer ? kReserveForBrief : 0);
  return size != 0 && waiting != 0 && waiting + size > most ? Sent::kFull : Sent::kYes;
}

// Copies a large envelope into a message of its own, with the mutex free.
Sent Link::prepare(std::span<const std::uint8_t> envelope, bool is_request,
                   std::optional<LargeEnvelope>& large) noexcept {
  if (envelope.size() < LargeEnvelope::kFrom) return Sent::kYes;
  {
    const MutexLock lock(mutex_);
    const Sent refused = refusal(envelope.size(), is_request);
    if (refused != Sent::kYes) return refused;
    large_held_->fetch_add(envelope.size(), std::memory_order_relaxed);  // nobody else may take its room meanwhile
  }
  try {
    large.emplace(envelope, large_held_);
  } catch (const std::bad_alloc&) {
    large_held_->fetch_sub(envelope.size(), std::memory_order_relaxed);
    return Sent::kFull;
  }
  return Sent::kYes;
}

Sent Link::append(std::span<const std::uint8_t> envelope, std::optional<LargeEnvelope>& large) noexcept {
  try {
    if (large) {
      outbox_.append(std::move(*large));
    } else {
      outbox_.append(envelope);
    }
  } catch (const std::bad_alloc&) {
    return Sent::kFull;
  }
  return Sent::kYes;
}

Bell* Link::driver_bell() noexcept {
  switch (driver_.load(std::memory_order_relaxed)) {
    case Driver::caller:
      return &bell_;
    case Driver::peers:
      return &shared_->bell;
    case Driver::nobody:
      break;
  }
  return nullptr;
}

Sent Link::post(std::span<const std::uint8_t> envelope, bool is_request) noexcept {
  std::optional<LargeEnvelope> large;
  Sent sent = prepare(envelope, is_request, large);
  if (sent != Sent::kYes) return sent;
  Bell* bell = nullptr;
  {
    const MutexLock lock(mutex_);
    sent = refusal(large ? 0 : envelope.size(), is_request);
    if (sent == Sent::kYes) sent = append(envelope, large);
    if (sent != Sent::kYes) return sent;
    if (is_request) under_way_.fetch_add(1, std::memory_order_relaxed);
    if (driver_ == Driver::nobody) driver_ = Driver::peers;
    bell = driver_bell();
  }
  bell->ring();
  return Sent::kYes;
}

Sent Link::send(std::span<const std::uint8_t> envelope, Seat& seat) noexcept {
  std::optional<LargeEnvelope> large;
  Sent sent = prepare(envelope, true, large);
  if (sent != Sent::kYes) return sent;
  Bell* bell = nullptr;
  {
    const MutexLock lock(mutex_);
    sent = refusal(large ? 0 : envelope.size(), true);
    if (sent != Sent::kYes) return sent;
    if (driver_ == Driver::nobody) {
      driver_ = Driver::caller;
      seat.driving = true;
    } else {
      sent = append(envelope, large);
      if (sent != Sent::kYes) return sent;
      list(seat);
      bell = driver_bell();
    }
  }
  if (bell == nullptr) return send_at_once(envelope, large, seat);
  bell->ring();
  return Sent::kYes;
}

void Link::ring() noexcept {
  Bell* bell = nullptr;
  {
    const MutexLock lock(mutex_);
    bell = driver_bell();
  }
  if (bell != nullptr) bell->ring();
}

void Link::wait(Seat& seat, Nanos deadline) noexcept {
  Waiter& own = seat.waiter;
  while (!seat.driving.load(std::memory_order_acquire) && !own.done()) {
    if (!own.wait_awake(follower_yields_, kFollowersYields)) own.wait_asleep(deadline);
    if (!own.clear_ring()) break;  // done, or the deadline has come
  }
  if (seat.driving.load(std::memory_order_acquire)) drive(seat, deadline);
  leave(seat);
  own.clear_ring();
  // The link may have gone down: then whoever ends the call completes the waiter, in a moment.
  if (!own.done()) own.wait_asleep(deadline);
}

void Link::list(Seat& seat) noexcept {
  seat.listed = true;
  seat.previous = last_;
  seat.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &seat;
  last_ = &seat;
}

void Link::unlist(Seat& seat) noexcept {
  seat.listed = false;
  (seat.previous != nullptr ? seat.previous->next : first_) = seat.next;
  (seat.next != nullptr ? seat.next->previous : last_) = seat.previous;
}

// By the driver, who is then no longer. Says whom to wake once the mutex is free again.
Bell* Link::pass_on(const FutexWord*& sleeper) noexcept {
  if (!routable() || under_way_.load(std::memory_order_relaxed) != 0 || !sending_.empty()) {
    driver_ = Driver::peers;
    return &shared_->bell;
  }
  // The newest, because its answer is likely to be the last of them: so the driving changes hands most seldom.
  for (Seat* seat = last_; seat != nullptr; seat = seat->previous) {
    if (seat->waiter.done()) continue;
    unlist(*seat);
    driver_ = Driver::caller;
    seat->driving.store(true, std::memory_order_release);
    sleeper = seat->waiter.ring();
    return nullptr;
  }
  driver_ = outbox_.empty() ? Driver::nobody : Driver::peers;
  return driver_bell();
}

// Says what ails the connection, for the keeper to end it.
void Link::report_broken(std::string_view what) noexcept {
  {
    const MutexLock lock(mutex_);
    if (broken_) return;
    broken_.emplace(what);
    needs_keeper_.store(true, std::memory_order_relaxed);
  }
  shared_->bell.ring();
}

void Link::leave(Seat& seat) noexcept {
  const FutexWord* sleeper = nullptr;
  Bell* bell = nullptr;
  {
    const MutexLock lock(mutex_);
    if (seat.listed) unlist(seat);
    if (seat.driving) {
      seat.driving = false;
      bell = pass_on(sleeper);
    }
  }
  if (bell != nullptr) bell->ring();
  if (sleeper != nullptr) futex_wake_one(*sleeper);
}

void Link::let_go() noexcept {
  {
    const MutexLock lock(mutex_);
    asks_ = false;
    let_go_.store(true, std::memory_order_relaxed);
  }
  shared_->bell.ring();
}

bool Link::say_closing() noexcept {
  {
    const MutexLock lock(mutex_);
    if (!routable() || !knows_closing_) return false;
    asks_ = false;
  }
  wire::Envelope closing;
  closing.type = wire::EnvelopeType::closing;
  closing.major = wire::kCallProtocolMajor;
  try {
    cbor::ByteSink sink;
    wire::write_envelope(sink, closing);
    return post(sink.bytes(), false) == Sent::kYes;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void Link::retire() noexcept {
  retiring_.store(true, std::memory_order_relaxed);
  shared_->bell.ring();
}

void Link::drop(std::string_view reason) noexcept {
  {
    const MutexLock lock(mutex_);
    if (dropped_) return;
    dropped_.emplace(reason);
    set_routable(false);
    needs_keeper_.store(true, std::memory_order_relaxed);
  }
  shared_->bell.ring();
}

std::optional<std::string> Link::broken() const {
  const MutexLock lock(mutex_);
  return broken_;
}

std::optional<std::string> Link::dropped() const {
  const MutexLock lock(mutex_);
  return dropped_;
}

}  // namespace busbar::host
