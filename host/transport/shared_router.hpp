// The ROUTER, shared by the thread that reads it and by the threads that answer.
#pragma once

#include <busbar/registry/net/door.hpp>
#include <busbar/thread_safety.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "transport/connection.hpp"
#include "transport/serve_bell.hpp"

namespace busbar::host {

/// What was received at one go, and not yet handled. The memory is used again.
class ReceivedBatch {
 public:
  static constexpr std::size_t kMostMessages = 64;
  static constexpr std::size_t kMostBytes = 1024 * 1024;

  struct Message {
    zmq::message_t routing_id;
    zmq::message_t frame;
    std::size_t frames = 0;  ///< one, by the protocol; what came after the first was thrown away
  };

  ReceivedBatch() : messages_(kMostMessages) {}
  void receive(zmq::socket_t& router, std::size_t most) noexcept;
  std::span<Message> messages() noexcept { return {messages_.data(), count_}; }
  void clear() noexcept;

 private:
  std::vector<Message> messages_;
  std::size_t count_ = 0;
};

/// Who has the duty to send what waits: the serving thread while it is awake; else a worker that is at it already; else
/// the worker that has just submitted. One mutex decides, so that nothing is left behind:
///  - an answer is put into its connection before that is listed (`submit`), and a connection is taken off the list
///    before its answers are taken; so what is not listed any more has been, or will now be, taken;
///  - the serving thread falls asleep, and a worker stops sending, only in a critical section that sees an empty list.
/// ZMQ_FD tells of a request only once, to whoever calls into the socket next. A worker that has sent therefore looks
/// whether requests have come and, if the serving thread sleeps, rings.
/// Locks: the socket's mutex, then the list's or a connection's.
class SharedRouter {
 public:
  /// How long an answer waits for others that were announced, where nobody sends meanwhile.
  static constexpr Nanos kMostWait = 200 * kMicrosecond;

  /// `report`: is told of connections that do not take their answers.
  /// Errors: std::system_error where there is no descriptor left; then the socket stays where it was.
  explicit SharedRouter(zmq::socket_t&& router, registry::net::DoorReport report = {});

  // --- any thread

  /// Something waits in the connection. Sends it, where that falls to this thread.
  Sent submit(Connection& connection, bool more_follow) noexcept;
  void count_unanswerable(std::size_t envelopes) noexcept {
    unanswerable_.fetch_add(envelopes, std::memory_order_relaxed);
  }
  /// An answer was dropped as too much waits to be sent there.
  void reads_too_slowly(const Connection& connection) noexcept;
  std::uint64_t unanswerable() const noexcept { return unanswerable_.load(std::memory_order_relaxed); }
  void ring() noexcept { bell_.ring(); }

  // --- the serving thread

  /// Before the first `sleep`: what it is to look after, too. Errors: std::system_error.
  void watch(int descriptor) { bell_.watch(descriptor); }

  enum class Next : std::uint8_t {
    kWork,          ///< there is a batch, or a connection that has gone
    kSleep,         ///< there is nothing: `sleep`, and until then workers send what they answer
    kSleepBlocked,  ///< the same, but something waits for room in ZeroMQ
  };
  /// Sends what waits, then receives at most so many messages.
  Next next(ReceivedBatch& batch, std::size_t most) noexcept;
  /// Sends what waits, then receives; returns whether there was something. After it comes work, another look, or
  /// `next`.
  bool look(ReceivedBatch& batch) noexcept;
  /// Sends what waits, and does not receive.
  void send_waiting() noexcept;
  /// Waits for a request, a ring or the watched descriptor to be readable; returns whether the latter is.
  bool sleep(Next why, int at_most_ms) noexcept;
  /// Sends past all queues, to whom there is no connection yet. Lost where the socket does not take it.
  void send(std::string_view routing_id, std::span<const std::uint8_t> frame) noexcept;
  /// Who connects from now on meets that key (net::take_key). Errors: registry::net::SocketError.
  void take_key(const keys::SecretKey& key);
  /// Connections that turned out to be gone when something was sent. They have ended.
  std::vector<std::shared_ptr<Connection>> take_gone() noexcept;
  /// Accepts nothing more; sends what waits until the deadline, and closes the socket.
  void close(Nanos deadline) noexcept;

 private:
  enum class Outcome : std::uint8_t { kSent, kBlocked, kUnreachable };

  void flush_as_worker() noexcept;
  bool send_listed(bool as_worker) noexcept BUSBAR_REQUIRES(socket_mutex_);
  bool take_listed(bool as_worker) noexcept BUSBAR_REQUIRES(socket_mutex_);
  void send_all(const std::shared_ptr<Connection>& connection) noexcept BUSBAR_REQUIRES(socket_mutex_);
  Outcome send_frame(const std::shared_ptr<Connection>& connection, AnswerFrame& frame) noexcept
      BUSBAR_REQUIRES(socket_mutex_);
  void retry_blocked() noexcept BUSBAR_REQUIRES(socket_mutex_);
  void lose(const std::shared_ptr<Connection>& connection) noexcept BUSBAR_REQUIRES(socket_mutex_);
  int events() noexcept BUSBAR_REQUIRES(socket_mutex_);

  ServeBell bell_;
  const registry::net::DoorReport report_;
  std::atomic<std::uint64_t> unanswerable_{0};
  int descriptor_ = -1;  // ZMQ_FD

  Mutex socket_mutex_;
  zmq::socket_t router_ BUSBAR_GUARDED_BY(socket_mutex_);
  std::vector<std::shared_ptr<Connection>> blocked_ BUSBAR_GUARDED_BY(socket_mutex_);
  std::vector<std::shared_ptr<Connection>> taken_ BUSBAR_GUARDED_BY(socket_mutex_);
  std::vector<AnswerFrame> spare_ BUSBAR_GUARDED_BY(socket_mutex_);  // empty; its memory is used again

  Mutex list_mutex_;
  std::vector<std::shared_ptr<Connection>> listed_ BUSBAR_GUARDED_BY(list_mutex_);
  std::vector<std::shared_ptr<Connection>> gone_ BUSBAR_GUARDED_BY(list_mutex_);
  bool serving_awake_ BUSBAR_GUARDED_BY(list_mutex_) = true;
  bool worker_sends_ BUSBAR_GUARDED_BY(list_mutex_) = false;
  bool planned_ BUSBAR_GUARDED_BY(list_mutex_) = false;  // the bell will ring for an announced answer
  bool closed_ BUSBAR_GUARDED_BY(list_mutex_) = false;
};

}  // namespace busbar::host
