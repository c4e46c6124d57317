// A link for whoever drives it: the socket's side.
#include <poll.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "pool/futex.hpp"
#include "transport/link.hpp"

namespace busbar::host {

namespace {

// How many frames are taken in before what waits to be sent is looked at again.
constexpr int kFramesAtOnce = 64;

// What a lone caller may yield in all before it sleeps: a round trip between idle hosts is shorter.
constexpr Nanos kYieldFor = 50 * kMicrosecond;
constexpr unsigned kYields = 1'000;

}  // namespace

// Sends a request for a caller that has just become the driver, past the outbox, which is empty then.
Sent Link::send_at_once(std::span<const std::uint8_t> envelope, std::optional<LargeEnvelope>& large,
                        Seat& seat) noexcept {
  int sent = -1;
  do {
    sent = large ? ::zmq_msg_send(large->message(), socket_.handle(), ZMQ_DONTWAIT)
                 : ::zmq_send(socket_.handle(), envelope.data(), envelope.size(), ZMQ_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Sent::kYes;
  // The pipe is full, or the connection is going down, which the peers' thread will be told.
  try {
    if (large) {
      sending_.append(std::move(*large));
    } else {
      sending_.append(envelope);
    }
  } catch (const std::bad_alloc&) {
    leave(seat);
    return Sent::kFull;
  }
  in_hand_.store(sending_.small_bytes(), std::memory_order_relaxed);
  return Sent::kYes;
}

// Sends for as long as the socket takes it: first what was left over, then what others have queued.
void Link::flush() noexcept {
  if (!sending_.empty()) send_all();
  if (!sending_.empty()) return;
  {
    const MutexLock lock(mutex_);
    lone_ = first_ == nullptr && under_way_.load(std::memory_order_relaxed) == 0;
    if (outbox_.empty()) return;
    sending_.swap(outbox_);
    in_hand_.store(sending_.small_bytes(), std::memory_order_relaxed);
  }
  send_all();
}

void Link::send_all() noexcept {
  const std::size_t max_message = max_message_.load(std::memory_order_relaxed);
  while (!sending_.empty() && sending_.send_some(socket_.handle(), max_message)) {
  }
  in_hand_.store(sending_.small_bytes(), std::memory_order_relaxed);
}

// Takes in what has come; `more` where it stopped early: because our own answer is there, or to let others send. After
// `all` nothing has happened to the socket since it said that there was nothing left, so its descriptor can be polled.
Link::Received Link::receive(const Waiter* own) noexcept {
  for (int frames = 0; frames < kFramesAtOnce;) {
    if (::zmq_msg_recv(incoming_.handle(), socket_.handle(), ZMQ_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      return Received::all;
    }
    ++frames;
    take_frame();
    if (own != nullptr && own->done()) return Received::more;
  }
  return Received::more;
}

void Link::take_frame() noexcept {
  if (incoming_.more()) return malformed("a message of several frames, expected one");
  try {
    wire::Bytes frame(incoming_.data<std::uint8_t>(), incoming_.size());
    if (shared_->log.enabled(LogLevel::trace)) [[unlikely]]
      shared_->log.trace("a frame has come", {{"from", name()}, {"bytes", frame.size()}});
    const Nanos now = now_ns();
    const WakeLater later;  // all callers that it answers
    while (!frame.empty()) take_envelope(wire::read_envelope(frame), now);
  } catch (const std::exception& error) {
    malformed(error.what());
  }
}

void Link::malformed(std::string_view what) noexcept {
  shared_->malformed.fetch_add(1, std::memory_order_relaxed);
  report_broken(what);
}

void Link::take_envelope(const wire::Envelope& envelope, Nanos now) noexcept {
  switch (envelope.type) {
    case wire::EnvelopeType::refused:
      if (envelope.attempt == 0) return report_broken(envelope.text);
      [[fallthrough]];
    case wire::EnvelopeType::answer:
    case wire::EnvelopeType::forwarded:
    case wire::EnvelopeType::document:
      if (envelope.major == wire::kCallProtocolMajor) shared_->events->on_envelope(*this, envelope, now);
      return;
    default:
      return;  // of a later minor version
  }
}

// Whether the socket can go on, though it last said that it could not: a message that ends the wait for room may have
// been eaten by the receiving. To be asked before sleeping where something waits to be sent.
bool Link::socket_is_ready() noexcept {
  if (sending_.empty()) return false;
  int events = 0;
  std::size_t size = sizeof events;
  return ::zmq_getsockopt(socket_.handle(), ZMQ_EVENTS, &events, &size) == 0 && events != 0;
}

// Until the seat's waiter is done, the deadline has come, or the link is down.
void Link::drive(Seat& seat, Nanos deadline) noexcept {
  const Waiter& own = seat.waiter;
  bool may_yield = true;
  for (;;) {
    bell_.hush();
    flush();
    if (!routable()) return;
    if (std::exchange(may_yield, false) && lone_) yield_for_a_while(own);
    if (own.done()) break;
    const Received received = receive(&own);
    if (own.done()) break;
    if (received == Received::more || bell_.rung() || socket_is_ready()) {
      if (deadline != kNever && now_ns() >= deadline) break;
      continue;
    }
    if (deadline != kNever && now_ns() >= deadline) break;
    std::array<pollfd, 2> descriptors{pollfd{}, pollfd{descriptor_, POLLIN, 0}};
    bell_.sleep(descriptors.data(), descriptors.size(), deadline);
  }
  // What came from others meanwhile goes with this thread, rather than wait until the next one is awake.
  if (bell_.rung()) flush();
}

// Until there is something to do, or it has lasted too long. The first yield comes before the first look: the answer
// cannot be there yet.
void Link::yield_for_a_while(const Waiter& own) noexcept {
  const Nanos until = now_ns() + kYieldFor;
  bool yielded = false;
  yields_.yield_until(
      [&] {
        if (!std::exchange(yielded, true)) return false;
        return receive(&own) == Received::more || own.done() || bell_.rung() || now_ns() >= until;
      },
      kYields);
}

}  // namespace busbar::host
