#include "transport/shared_router.hpp"

#include <busbar/registry/net/rekey.hpp>

#include <poll.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "pool/clock.hpp"

namespace busbar::host {

namespace {

// A frame of so many bytes is handed to ZeroMQ as it is, and counts as waiting until ZeroMQ has written it. Smaller
// ones are copied; what ZeroMQ then holds is bounded by its high-water mark.
constexpr std::size_t kHandedOver = AnswerFrames::kMostBytes;

// How often a worker looks for more to send, before it leaves that to the serving thread and goes about its own work.
constexpr unsigned kMostWorkerRounds = 8;

// How soon it is tried again where ZeroMQ took nothing more. Mostly ZMQ_FD tells earlier.
constexpr int kRetryMs = 20;

// What a large frame lies in while ZeroMQ holds it.
struct HandedOver {
  std::shared_ptr<Connection> connection;
  std::vector<std::uint8_t> bytes;
};

void free_handed_over(void*, void* hint) noexcept {
  const std::unique_ptr<HandedOver> handed(static_cast<HandedOver*>(hint));
  handed->connection->sent(handed->bytes.size());
}

bool send_part(zmq_msg_t& part, void* socket, int flags) noexcept {
  for (;;) {
    if (::zmq_msg_send(&part, socket, flags | ZMQ_DONTWAIT) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

bool send_routing_id(std::string_view id, void* socket) noexcept {
  for (;;) {
    if (::zmq_send(socket, id.data(), id.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

bool receive_part(zmq::message_t& part, zmq::socket_t& socket) noexcept {
  for (;;) {
    if (::zmq_msg_recv(part.handle(), socket.handle(), ZMQ_DONTWAIT) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

// A ZeroMQ message of the frame's bytes, which are copied or, where they are many, moved into `handed`. Made before
// the routing id is sent: without memory there must not be half a message on its way.
bool make_body(zmq_msg_t& body, AnswerFrame& frame, const std::shared_ptr<Connection>& connection,
               HandedOver*& handed) noexcept {
  const std::size_t size = frame.bytes.size();
  if (size < kHandedOver) {
    if (::zmq_msg_init_size(&body, size) != 0) return false;
    std::copy(frame.bytes.begin(), frame.bytes.end(), static_cast<std::uint8_t*>(::zmq_msg_data(&body)));
    return true;
  }
  std::unique_ptr<HandedOver> holder(new (std::nothrow) HandedOver{connection, {}});
  if (holder == nullptr || ::zmq_msg_init_data(&body, frame.bytes.data(), size, free_handed_over, holder.get()) != 0) {
    return false;
  }
  handed = holder.release();
  handed->bytes = std::move(frame.bytes);
  return true;
}

}  // namespace

// ------------------------------------------------------------------------------------------------------ receiving

void ReceivedBatch::receive(zmq::socket_t& router, std::size_t most) noexcept {
  std::size_t bytes = 0;
  while (count_ < most && bytes < kMostBytes) {
    Message& message = messages_[count_];
    if (!receive_part(message.routing_id, router)) return;
    message.frames = 0;
    bool more = message.routing_id.more();
    zmq::message_t surplus;
    while (more) {
      zmq::message_t& part = message.frames == 0 ? message.frame : surplus;
      if (!receive_part(part, router)) break;
      ++message.frames;
      bytes += part.size();
      more = part.more();
    }
    ++count_;
  }
}

void ReceivedBatch::clear() noexcept {
  for (Message& message : messages()) message.frame.rebuild();
  count_ = 0;
}

SharedRouter::SharedRouter(zmq::socket_t&& router, registry::net::DoorReport report)
    : report_(std::move(report)), router_(std::move(router)) {
  descriptor_ = router_.get(zmq::sockopt::fd);
}

void SharedRouter::reads_too_slowly(const Connection& connection) noexcept {
  if (!report_) return;
  report_(
      "calls", registry::net::TurnedAway::slow_reader, connection.place(),
      "it does not take its answers as fast as it asks: one was dropped, as more would wait than limits.peer_queue");
}

SharedRouter::Next SharedRouter::next(ReceivedBatch& batch, std::size_t most) noexcept {
  const MutexLock socket(socket_mutex_);
  retry_blocked();
  for (;;) {
    send_listed(false);
    // To the last message, or ZMQ_FD would not tell of it; and after what was sent, for the same reason.
    batch.receive(router_, most);
    if (!batch.messages().empty()) return Next::kWork;
    const MutexLock list(list_mutex_);
    if (!gone_.empty()) return Next::kWork;
    if (!listed_.empty()) continue;
    serving_awake_ = false;
    return blocked_.empty() ? Next::kSleep : Next::kSleepBlocked;
  }
}

bool SharedRouter::look(ReceivedBatch& batch) noexcept {
  const MutexLock socket(socket_mutex_);
  retry_blocked();
  send_listed(false);
  batch.receive(router_, ReceivedBatch::kMostMessages);
  return !batch.messages().empty();
}

void SharedRouter::send_waiting() noexcept {
  const MutexLock socket(socket_mutex_);
  send_listed(false);
}

bool SharedRouter::sleep(Next why, int at_most_ms) noexcept {
  pollfd descriptors[] = {{descriptor_, POLLIN, 0}, {bell_.descriptor(), POLLIN, 0}};
  const int ready = ::poll(descriptors, std::size(descriptors), why == Next::kSleepBlocked ? kRetryMs : at_most_ms);
  {
    const MutexLock list(list_mutex_);
    serving_awake_ = true;
    if (std::exchange(planned_, false)) bell_.cancel();
  }
  return ready > 0 && descriptors[1].revents != 0 && bell_.take();
}

void SharedRouter::take_key(const keys::SecretKey& key) {
  const MutexLock lock(socket_mutex_);
  registry::net::take_key(router_, key);
}

std::vector<std::shared_ptr<Connection>> SharedRouter::take_gone() noexcept {
  const MutexLock list(list_mutex_);
  return std::exchange(gone_, {});
}

// ------------------------------------------------------------------------------------------------------ who sends

Sent SharedRouter::submit(Connection& connection, bool more_follow) noexcept {
  {
    const MutexLock list(list_mutex_);
    if (closed_) return Sent::kDown;
    if (!connection.listed) {
      try {
        listed_.push_back(connection.shared_from_this());
      } catch (const std::bad_alloc&) {
        return Sent::kYes;  // it waits in the connection, for the next answer
      }
      connection.listed = true;
    }
    if (serving_awake_ || worker_sends_) return Sent::kYes;
    if (more_follow) {
      if (!std::exchange(planned_, true)) bell_.ring_in(kMostWait);
      return Sent::kYes;
    }
    worker_sends_ = true;
  }
  flush_as_worker();
  return Sent::kYes;
}

void SharedRouter::flush_as_worker() noexcept {
  bool ring = false;
  {
    const MutexLock socket(socket_mutex_);
    const bool was_blocked = !blocked_.empty();
    ring = !send_listed(true) || (!was_blocked && !blocked_.empty());
    const bool requests = (events() & ZMQ_POLLIN) != 0;  // and sending has eaten the edge of ZMQ_FD, perhaps
    const MutexLock list(list_mutex_);
    ring = !serving_awake_ && (ring || requests || !gone_.empty());
  }
  if (ring) bell_.ring();
}

bool SharedRouter::send_listed(bool as_worker) noexcept {
  for (unsigned round = 0;; ++round) {
    if (as_worker && round == kMostWorkerRounds) {
      const MutexLock list(list_mutex_);
      worker_sends_ = false;
      return listed_.empty();
    }
    if (!take_listed(as_worker)) return true;
    for (const auto& connection : taken_) send_all(connection);
    taken_.clear();
  }
}

// Returns whether there was anything. If not, the worker's duty has ended.
bool SharedRouter::take_listed(bool as_worker) noexcept {
  const MutexLock list(list_mutex_);
  if (std::exchange(planned_, false)) bell_.cancel();
  if (listed_.empty()) {
    if (as_worker) worker_sends_ = false;
    return false;
  }
  taken_.swap(listed_);
  for (const auto& connection : taken_) connection->listed = false;
  return true;
}

// -------------------------------------------------------------------------------------------------------- sending

void SharedRouter::send_all(const std::shared_ptr<Connection>& connection) noexcept {
  std::vector<AnswerFrame> frames = connection->take(std::move(spare_));
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const Outcome outcome = send_frame(connection, frames[i]);
    if (outcome == Outcome::kSent) continue;
    const bool kept = outcome == Outcome::kBlocked && connection->put_back(frames, i);
    if (!kept) {
      for (std::size_t left = i; left < frames.size(); ++left) count_unanswerable(frames[left].envelopes);
      lose(connection);
    } else if (!connection->blocked) {
      connection->blocked = true;
      blocked_.push_back(connection);
    }
    break;
  }
  frames.clear();
  spare_ = std::move(frames);
}

SharedRouter::Outcome SharedRouter::send_frame(const std::shared_ptr<Connection>& connection,
                                               AnswerFrame& frame) noexcept {
  zmq_msg_t body;
  HandedOver* handed = nullptr;
  const std::size_t size = frame.bytes.size();
  if (!make_body(body, frame, connection, handed)) return Outcome::kBlocked;
  if (send_routing_id(connection->routing_id(), router_.handle())) {
    if (!send_part(body, router_.handle(), 0)) ::zmq_msg_close(&body);
    if (handed == nullptr) connection->sent(size);
    return Outcome::kSent;
  }
  const bool blocked = errno == EAGAIN;
  if (blocked && handed != nullptr) frame.bytes.swap(handed->bytes);
  ::zmq_msg_close(&body);
  return blocked ? Outcome::kBlocked : Outcome::kUnreachable;
}

void SharedRouter::retry_blocked() noexcept {
  if (blocked_.empty()) return;
  events();  // a send alone would not look whether there is room again
  const auto blocked = std::exchange(blocked_, {});
  for (const auto& connection : blocked) {
    connection->blocked = false;
    if (!connection->gone()) send_all(connection);
  }
}

void SharedRouter::lose(const std::shared_ptr<Connection>& connection) noexcept {
  count_unanswerable(connection->end());
  const MutexLock list(list_mutex_);
  gone_.push_back(connection);
}

int SharedRouter::events() noexcept {
  int events = 0;
  std::size_t size = sizeof events;
  if (router_.handle() == nullptr || ::zmq_getsockopt(router_.handle(), ZMQ_EVENTS, &events, &size) != 0) return 0;
  return events;
}

void SharedRouter::send(std::string_view routing_id, std::span<const std::uint8_t> frame) noexcept {
  const MutexLock socket(socket_mutex_);
  zmq_msg_t body;
  if (::zmq_msg_init_size(&body, frame.size()) != 0) return;
  std::copy(frame.begin(), frame.end(), static_cast<std::uint8_t*>(::zmq_msg_data(&body)));
  if (!send_routing_id(routing_id, router_.handle()) || !send_part(body, router_.handle(), 0)) ::zmq_msg_close(&body);
}

void SharedRouter::close(Nanos deadline) noexcept {
  {
    const MutexLock list(list_mutex_);
    closed_ = true;
  }
  for (;;) {
    {
      const MutexLock socket(socket_mutex_);
      send_listed(false);
      retry_blocked();
      if (blocked_.empty()) break;
    }
    const Nanos left = deadline - now_ns();
    if (left <= 0) break;
    pollfd descriptor{descriptor_, POLLIN, 0};
    ::poll(&descriptor, 1, static_cast<int>(std::clamp<Nanos>(left / kMillisecond, 1, kRetryMs)));
  }
  const MutexLock socket(socket_mutex_);
  blocked_.clear();
  // What ZeroMQ holds by now is written by its own thread, which the end of the context waits for.
  const Nanos left = std::max<Nanos>(deadline - now_ns(), 0);
  const int linger = static_cast<int>(left / kMillisecond);
  ::zmq_setsockopt(router_.handle(), ZMQ_LINGER, &linger, sizeof linger);
  router_.close();
}

}  // namespace busbar::host
