// Other nodes and clients as dispatch sees them; the transport implements both.
#pragma once

#include <busbar/keys/key.hpp>
#include <busbar/registry/service_table.hpp>
#include <busbar/wire/envelope.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "pool/clock.hpp"
#include "pool/waiter.hpp"
#include "stats/call_stats.hpp"

namespace busbar::host {

/// What became of an envelope that was to be sent.
enum class Sent : std::uint8_t {
  kYes,       ///< accepted: it may arrive, or be lost with the connection
  kDown,      ///< no connection: it certainly did not leave
  kFull,      ///< as much waits to be sent as may (limits.peer_queue): it certainly did not leave
  kTooLarge,  ///< larger than what the other side accepts
};

/// Beyond the bytes that may wait to be sent to one peer or requester there is this reserve for brief answers: so that
/// who waits for one that is refused as kFull can be told.
constexpr std::size_t kBriefAnswer = 1024;
constexpr std::size_t kReserveForBrief = 256 * 1024;

/// Where a thread that blocks for the answer of one call sits while it waits at a peer. On that thread's stack.
class Seat {
 public:
  explicit Seat(Waiter& callers) noexcept : waiter(callers) {}
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  Waiter& waiter;

  // the peer's
  std::atomic<bool> driving{false};  ///< this thread is the one that works the peer's socket
  bool listed = false;
  Seat* next = nullptr;
  Seat* previous = nullptr;
};

/// Another node that calls can be sent to, for one incarnation of it. Made by the transport, known by the registry.
/// Threads: any.
class Peer : public registry::RemoteNode {
 public:
  using RemoteNode::RemoteNode;

  /// Sends an envelope for a caller that does not wait on this thread: queued, and sent in a bundle with others. Each
  /// request that was accepted counts as under way until `ended`. Copies the envelope.
  virtual Sent post(std::span<const std::uint8_t> envelope, bool is_request) noexcept = 0;
  /// One request that `post` accepted needs no answer any more: it has ended, in whatever way.
  virtual void ended() noexcept = 0;

  /// Sends a request for a caller that will then `wait`: at once, where nobody works the socket; that is then this
  /// thread's seat. Otherwise queued. After kYes, `wait` must follow.
  virtual Sent send(std::span<const std::uint8_t> envelope, Seat& seat) noexcept = 0;
  /// Waits until the seat's waiter is done, or the deadline has come; works the socket meanwhile where
  /// that falls to this thread, and passes it on when it leaves. The seat is free afterwards.
  virtual void wait(Seat& seat, Nanos deadline) noexcept = 0;
  /// Has the thread that works the socket look whether its waiter is done, if it sleeps: for who completed it
  /// elsewhere.
  virtual void ring() noexcept = 0;

  /// Whether no answer comes from there any more: it was never connected, or the connection is gone and everything that
  /// had come before has been read.
  virtual bool over() const noexcept { return !routable(); }

  /// How many calls of this node are under way there, or will be answered from there (C-R6).
  std::uint32_t pending() const noexcept { return pending_.load(std::memory_order_relaxed); }
  void pending_begins() noexcept { pending_.fetch_add(1, std::memory_order_relaxed); }
  void pending_ends() noexcept { pending_.fetch_sub(1, std::memory_order_relaxed); }

  /// Of the attempts of this node's calls there, how they ended and how long they took.
  CallStats& stats() noexcept { return stats_; }
  const CallStats& stats() const noexcept { return stats_; }

 private:
  CallStats stats_;
  alignas(64) std::atomic<std::uint32_t> pending_{0};  // not beside what each lookup reads
};

/// What a peer has for dispatch. Threads: whoever works the peer's socket; several for several peers.
class PeerEvents {
 public:
  virtual ~PeerEvents() = default;
  /// An answer, or word that another node will answer, or a refusal of one request. A view, valid during the call.
  /// `now`: when it was received.
  virtual void on_envelope(Peer& peer, const wire::Envelope& envelope, Nanos now) noexcept = 0;
  /// The connection is gone, and `routable` is false: every call under way there ends (C-D9).
  virtual void on_down(Peer& peer, std::string_view reason) noexcept = 0;
};

/// Somebody who sends requests to this node, for as long as the connection lasts: a node or a client.
/// Ownership: shared by the transport and by the calls that are to be answered. Threads: any.
class Requester {
 public:
  virtual ~Requester() = default;

  /// Sends an answer: at once, where the thread may; otherwise with others. `more_follow`: this thread is about to send
  /// another, so that this one may wait for it. Copies the envelope. What cannot be sent is counted and dropped; who
  /// waits for it is to be told by a brief one.
  virtual Sent answer(std::span<const std::uint8_t> envelope, bool more_follow) noexcept = 0;
  /// Whether the connection is gone: nobody is there to be answered.
  virtual bool gone() const noexcept = 0;

  virtual wire::Role role() const noexcept = 0;
  virtual const std::string& name() const noexcept = 0;  ///< what it says it is called
  virtual std::uint64_t incarnation() const noexcept = 0;
  /// One more of its calls is under way here, until `call_ended`; false: there are as many as may be
  /// (limits.peer_calls), and this one is not counted.
  bool call_begins(unsigned most) const noexcept {
    if (counted().under_way_.fetch_add(1, std::memory_order_relaxed) < most) return true;
    call_ended();
    return false;
  }
  void call_ended() const noexcept { counted().under_way_.fetch_sub(1, std::memory_order_relaxed); }

  /// Whose key it has proved (C-R8); null: there are no keys, and the name is a claim.
  virtual const keys::Identity* owner() const noexcept { return nullptr; }

 private:
  /// Whose calls its calls count as: of one that another has forwarded, that one's.
  virtual const Requester& counted() const noexcept { return *this; }

  mutable std::atomic<unsigned> under_way_{0};
};

/// What requesters have for dispatch. Threads: the one that reads the ROUTER.
class RequestEvents {
 public:
  virtual ~RequestEvents() = default;
  /// A request, a cancellation or a query. A view, valid during the call.
  virtual void on_request(const std::shared_ptr<Requester>& from, const wire::Envelope& envelope) noexcept = 0;
  /// The connection is gone: its calls have lost their caller (C-D8).
  virtual void on_gone(const Requester& requester) noexcept = 0;
};

}  // namespace busbar::host
