// One call that is being served: who waits for it, who may still answer it, and what was answered.
//
// A call ends once: it is *delivered*, or its caller is *gone* (timed out, cancelled). It is answered once: the first
// reply claims it, every other is refused. Both are bits of one word, so that each race has one winner.
//
// Two groups hold a call. The waiting side holds one reference until the call has ended. The answering side, counted
// in `answerers_`, is the runner and every retained reply handle; when the last of them goes without an answer, the
// caller is told so at once (C-R4). When both groups are gone, the call returns to its slab.
#pragma once

#include <busbar/abi.h>
#include <busbar/message.hpp>

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dispatch/callback.hpp"
#include "dispatch/instance.hpp"
#include "pool/clock.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"
#include "pool/waiter.hpp"

// What plugins hold a pointer to; the host's side of it is busbar::host::Call.
struct busbar_call {};

namespace busbar::host {

class Dispatcher;

/// What the runner is to do.
enum class Purpose : std::uint8_t { serve, authorize_only };

class Call final : public busbar_call, public Task {
 public:
  Call() noexcept;
  static Call* of(busbar_call* call) noexcept { return static_cast<Call*>(call); }
  static const Call* of(const busbar_call* call) noexcept { return static_cast<const Call*>(call); }
  /// The call whose handler runs on this thread, or null.
  static Call* current() noexcept;

  // -- the waiting side

  /// Makes a fresh call of a slot from the slab. `message` must stay where it is until the call has ended, unless
  /// `own_message` is used. The endpoint's instance has been entered.
  void begin(Dispatcher& dispatcher, Endpoint& endpoint, Purpose purpose, const Message& message, Nanos deadline,
             std::uint32_t timeout_ms, bool runs_inline) noexcept;
  /// Takes the message into the call: for handlers that may outlive their caller's wait.
  void own_message(Message&& message) noexcept;
  /// Has the outcome handed to `callback`, by the thread that ends the call, in place of a waiting caller. `begun` is
  /// when the dispatch began.
  void deliver_to(Callback callback, Nanos begun) noexcept;
  /// Has the deadline of such a call watched from now on; false where its answer is there already. By the thread that
  /// holds the runner's part of it.
  bool watch() noexcept;

  /// Waits for the answer. False: the deadline came first, the caller is gone, and a late answer will be discarded.
  bool wait(YieldGuard& guard, Supervisor& supervisor) noexcept;
  /// What came back; `base` is the message to put it on. After a delivery.
  void put_outcome(Message& base);
  /// Takes the message out of the call, or copies it while its handler may still read it.
  Message take_message();
  const Message& message() const noexcept { return *message_; }
  const Response& response() const noexcept { return response_; }

  /// Ends the call as timed out if it is one of this dispatcher's and its deadline has come. Returns the deadline that
  /// is still to be watched, or kNever. By the supervisor's thread.
  Nanos expire(const Dispatcher& whose, Nanos now) noexcept;
  /// Nobody wants the answer any more. True: the callback will not be called. For a call with a callback, by who holds
  /// a reference.
  bool cancel() noexcept;

  // -- the answering side

  /// Authorizes and handles on this thread. What the handler answers on this thread is *staged*: kept until `settle`.
  void serve() noexcept;
  /// The runner is done: delivers what was staged, and lets go.
  void settle() noexcept;
  /// After `serve`, by the waiting side on the same thread: whether the answer is there and nobody else holds the call.
  /// Then there is nothing to settle, wait for or release: take the outcome, and `end_alone`.
  bool answered_alone() const noexcept { return staged_ && answerers_.load(std::memory_order_acquire) == 1; }
  void end_alone() noexcept { recycle(); }
  /// In place of `serve` and `settle`: it was not started, because of this.
  void refuse(Response why) noexcept;

  busbar_buffer* reply_buffer() noexcept { return &reply_buffer_.c_buffer; }
  busbar_status reply(const busbar_reply& reply) noexcept;
  void retain_answerer() noexcept { answerers_.fetch_add(1, std::memory_order_relaxed); }
  void release_answerer() noexcept;
  void keep_ids() noexcept;

  Nanos deadline() const noexcept { return deadline_; }
  bool runs_inline() const noexcept { return runs_inline_; }
  bool caller_gone() const noexcept {
    return (state_.load(std::memory_order_acquire) & kGone) != 0 || now_ns() >= deadline_;
  }
  Endpoint& endpoint() const noexcept { return *endpoint_; }
  std::string_view message_id() const noexcept { return kept_id_.empty() ? message_->id() : kept_id_.view(); }
  std::string_view correlation_id() const noexcept {
    return kept_id_.empty() ? message_->correlation_id() : kept_correlation_id_.view();
  }

  /// What a message that it causes inherits, where that has none of its own.
  const Payload& logger_metadata() const noexcept {
    return kept_id_.empty() ? message_->logger_metadata() : kept_metadata_;
  }

  // -- references: one for each group, and one for each canceller

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;

 private:
  friend class CallSlab;

  static constexpr std::uint32_t kAnswered = 1;    // a reply has claimed it
  static constexpr std::uint32_t kDelivered = 2;   // the outcome is with the caller
  static constexpr std::uint32_t kGone = 4;        // nobody waits
  static constexpr std::uint32_t kRunning = 8;     // its handler may read the message
  static constexpr Nanos kClaimed = -1;            // in watched_deadline_: being timed out or cancelled
  static constexpr Nanos kUnwatched = kNever - 1;  // there: can be cancelled, but does not time out (yet)

  struct ReplyBuffer {
    busbar_buffer c_buffer;
    Block block;
    ReplyBuffer() noexcept;
    Payload take(std::size_t size) noexcept;
  };

  void run() noexcept override;     // as a pool's task
  void finish() noexcept override;  // the same, afterwards
  void drop() noexcept override;    // the pool stopped first

  Dispatcher& dispatcher() const noexcept { return *dispatcher_.load(std::memory_order_relaxed); }
  bool claim_answer() noexcept { return (state_.fetch_or(kAnswered, std::memory_order_acq_rel) & kAnswered) == 0; }
  void stage(Response response) noexcept;  // by the runner
  void authorize_and_handle();
  bool authorize(const busbar_message& view);
  void handle(const busbar_message& view);
  void take_reply(const busbar_reply& reply);
  void deliver() noexcept;
  void expire_waiter() noexcept;
  void expire_callback() noexcept;
  void run_callback(Message outcome) noexcept;
  void recycle() noexcept;

  // constant from begin() on
  std::atomic<Dispatcher*> dispatcher_{nullptr};  // atomic: the supervisor looks at slots that are being reused
  Endpoint* endpoint_ = nullptr;
  const Message* message_ = nullptr;
  Nanos deadline_ = 0;
  std::uint32_t timeout_ms_ = 0;
  Purpose purpose_ = Purpose::serve;
  DryRun dry_run_ = DryRun::no;
  bool runs_inline_ = false;
  bool has_callback_ = false;
  bool staged_ = false;  // the runner's: its handler has answered on this thread

  std::atomic<std::uint32_t> state_{0};
  std::atomic<std::uint32_t> references_{0};
  std::atomic<std::uint32_t> answerers_{0};
  std::atomic<Nanos> watched_deadline_{kNever};
  Waiter waiter_;

  Message owned_message_;
  Callback callback_;
  Nanos begun_ = 0;  // with a callback: when the dispatch began
  Text kept_id_;     // for those who hold the call when the message is gone
  Text kept_correlation_id_;
  Payload kept_metadata_;

  // written by whoever claimed the answer, read after the delivery
  Response response_;
  Payload assigns_;
  Payload events_;
  bool assigns_changed_ = false;
  bool outcome_taken_ = false;
  ReplyBuffer reply_buffer_;

  Call* next_free_ = nullptr;  // the slab's
};

}  // namespace busbar::host
