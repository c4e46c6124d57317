// One call: who waits for it, who may still answer it, and what was answered.
//
// A call is attempted at one provider after the other until one has served it: here, by a router of this node, and at
// other nodes. It ends once: it is *delivered*, or its caller is *gone* (timed out, cancelled). Each race has one
// winner, because what is raced for is a bit or a number of one word.
//
// Three groups hold a call. The waiting side holds one reference until the call has ended. The answering side, counted
// in `answerers_`, is the runner and every retained reply handle; when the last of them goes without an answer, the
// caller is told so at once (C-R4). An attempt at another node holds one until somebody has claimed its number: the
// answer, the end of the connection, or whoever gives it up. When all are gone, the call returns to its slab.
#pragma once

#include <busbar/abi.h>
#include <busbar/message.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dispatch/callback.hpp"
#include "dispatch/chain.hpp"
#include "dispatch/circle.hpp"
#include "dispatch/gate.hpp"
#include "dispatch/instance.hpp"
#include "dispatch/options.hpp"
#include "dispatch/peer.hpp"
#include "dispatch/reachable.hpp"
#include "log/line.hpp"
#include "pool/clock.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"
#include "pool/waiter.hpp"

// What plugins hold a pointer to; the host's side of it is busbar::host::Call.
struct busbar_call {};

namespace busbar::host {

class Dispatcher;

/// What is wanted of the provider.
enum class Purpose : std::uint8_t {
  serve,
  authorize_only,  ///< the router's verdict alone (C-D11)
  query            ///< of a node rather than a service: the message's request is what is asked
};

/// What became of an attempt at another node.
enum class AttemptSent : std::uint8_t {
  kUnderWay,
  kRefused,  ///< it certainly was not started; the reason has been noted
  kOver      ///< meanwhile the call has ended: timed out or cancelled
};

/// A call that goes on: what `busbar calls` shows.
struct CallRow {
  enum class State : std::uint8_t {
    queued,    ///< it waits its turn
    running,   ///< its handler runs
    deferred,  ///< its handler has returned; who holds its reply handle is to answer
    sent       ///< it was sent to another node
  };
  std::string service;
  std::string node;  ///< where it is served
  std::string message_id;
  std::string correlation_id;
  std::string causation_id;
  std::string caller;  ///< the node or client that asks, or `local`
  State state = State::queued;
  Nanos age = 0;
  Nanos queued = 0;          ///< so far, or until its handler was started
  Nanos running = 0;         ///< since then; of one that is sent: since it was
  Nanos deferred = 0;        ///< what of that is since its handler has returned
  Nanos left = 0;            ///< of its budget
  bool caller_gone = false;  ///< nobody waits for its answer any more
};
std::string_view name_of(CallRow::State state) noexcept;

/// A call whose caller was told that its plugin is gone, while its handler, or who holds its reply, goes on.
struct EndedInside {
  std::string service;
  std::string message_id;
  Nanos age = 0;
  bool deferred = false;  ///< its reply handle is held, and no handler runs
};

class Call final : public busbar_call, public Task {
 public:
  static constexpr unsigned kIndexBits = 20;

  Call() noexcept;
  static Call* of(busbar_call* call) noexcept { return static_cast<Call*>(call); }
  static const Call* of(const busbar_call* call) noexcept { return static_cast<const Call*>(call); }
  /// The call whose handler runs on this thread, or null.
  static Call* current() noexcept;
  /// The call whose callback runs on this thread, or null.
  static const Call* ending() noexcept;

  // -- the waiting side (call.cpp)

  /// Makes a fresh call of a slot from the slab. `message` must stay where it is until the call has ended, unless
  /// `own_message` is used. The endpoint's instance has been entered; null: it is not attempted here.
  void begin(Dispatcher& dispatcher, Endpoint* endpoint, Purpose purpose, const Message& message, Nanos deadline,
             std::uint32_t timeout_ms, bool runs_inline) noexcept;
  /// Takes the message into the call: for handlers that may outlive their caller's wait.
  void own_message(Message&& message) noexcept;
  /// The same for a copy, after the handler has run; without memory an empty one: its ids have been kept.
  void own_copy(const Message& message) noexcept;
  /// Has the outcome handed to `callback`, by the thread that ends the call, in place of a waiting caller.
  void deliver_to(Callback callback) noexcept;
  /// Has the answer sent to whoever asked from another node, in place of a waiting caller. `attempt` is its number.
  void answer_to(std::shared_ptr<Requester> requester, std::uint64_t attempt) noexcept;
  /// What else its caller said, where that has a part in which provider is asked.
  void heed(Wishes wishes) noexcept {
    if (wishes.any()) [[unlikely]]
      wishes_ = std::move(wishes);
  }
  /// The same for a caller that waits, whose texts are borrowed.
  void heed_borrowed(const DispatchOptions& options) noexcept {
    if (options.has_wishes()) [[unlikely]]
      wishes_ = Wishes::borrow(options);
  }
  const Wishes& wishes() const noexcept { return wishes_; }
  /// The provider is not asked for leave again, and chooses no other (C-R6).
  void mark_forwarded() noexcept { is_forwarded_ = true; }

  /// Has the deadline of a call with a callback, or for a requester, watched from now on; false where its answer is
  /// there already. By the thread that holds the runner's part of it, and while the message is the call's own.
  bool watch() noexcept;
  /// The end of that; and only a pause of it, before another provider is asked, in which the call can be cancelled.
  /// False where the deadline or a canceller was first.
  bool unwatch() noexcept { return watched_deadline_.exchange(kNever, std::memory_order_acq_rel) != kClaimed; }
  bool pause_watch() noexcept;
  /// After the pause: false where a canceller was first.
  bool watch_again() noexcept;

  /// Waits for the answer of an attempt here. False: the deadline came first, the caller is gone, and a late answer
  /// will be discarded.
  bool wait(YieldGuard& guard, Supervisor& supervisor) noexcept;
  /// The same for an attempt at another node that was begun with this seat.
  bool wait_at_peer(Seat& seat) noexcept;

  /// An attempt begins, of which observers have been told. Its end is told once, by whoever gets true from
  /// `end_attempt`: of a call with a callback its deadline may come at any moment, also between two attempts.
  void begin_attempt() noexcept { attempt_open_.store(true, std::memory_order_seq_cst); }
  bool end_attempt() noexcept { return attempt_open_.exchange(false, std::memory_order_seq_cst); }

  /// When the attempt was begun, in ticks: for observers.
  void begun_at(std::uint64_t ticks) noexcept { begun_.store(ticks, std::memory_order_relaxed); }
  std::uint64_t begun() const noexcept { return begun_.load(std::memory_order_relaxed); }
  /// When the call itself was, in ticks; a local call's is its first attempt. Before anybody else has a part of it.
  void came_at(std::uint64_t ticks) noexcept {
    came_ = ticks;
    begun_at(ticks);
  }
  std::uint64_t came() const noexcept { return came_; }
  /// When its handler was started here, in ticks; 0: it has not been, or runs on its caller's thread.
  std::uint64_t started() const noexcept { return started_.load(std::memory_order_relaxed); }

  /// Of one whose time is over, which is not started any more.
  bool was_not_started() const noexcept { return !runs_inline_ && started() == 0; }

  /// For the seat of an attempt at another node.
  Waiter& waiter() noexcept { return waiter_; }

  /// What came back; `base` is the message to put it on. After a delivery.
  void put_outcome(Message& base);
  /// Takes the message out of the call, or copies it while its handler may still read it.
  Message take_message();
  const Message& message() const noexcept { return *message_; }
  const Response& response() const noexcept { return response_; }
  /// By whoever is about to deliver, or has been delivered to.
  void set_response(Response response) noexcept { response_ = std::move(response); }

  /// Ends the call as timed out if it is one of this dispatcher's and its deadline has come; one for a requester, who
  /// knows the time itself, is counted as that, and ends with its answer. Returns the deadline that is still to be
  /// watched, or kNever. By the supervisor's thread.
  Nanos expire(const Dispatcher& whose, Nanos now) noexcept;
  /// Nobody wants the answer any more. True: the callback will not be called. For a call with a callback, by who holds
  /// a reference.
  bool cancel() noexcept;
  /// Hands the outcome to the callback, and lets the waiting side go.
  void finish_callback();

  // -- the answering side (serving.cpp)

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

  /// Answers badrpc(unloaded) in place of the handler, if the call is inside that instance and not answered yet; what
  /// it is, or nothing. What the handler answers is dropped then. By any thread, for any slot; `now`: a recent time.
  std::optional<EndedInside> end_inside(const Instance& instance, Nanos now);
  /// What the call is, if it goes on and is one of this dispatcher's. By any thread, for any slot. Calls of inline
  /// services are not seen while they run: they are over in no time.
  std::optional<CallRow> look(const Dispatcher& whose, Nanos now);
  /// Whose counters it will be counted in and what becomes of it, if it is served here for this dispatcher and can be
  /// looked at; else null. By any thread, for any slot.
  std::pair<const CallStats*, CallRow::State> stand(const Dispatcher& whose) noexcept;
  /// Others may look at it from now on: nothing of it but its answer changes until `hide`. By the runner.
  void show() noexcept { inside_.store(&endpoint()->instance(), std::memory_order_release); }
  /// Nobody looks at it any more. By who is about to change what is looked at: its message, or all of it.
  void hide() noexcept;

  busbar_buffer* reply_buffer() noexcept { return &reply_buffer_.c_buffer; }
  busbar_status reply(const busbar_reply& reply) noexcept;
  void retain_answerer() noexcept { answerers_.fetch_add(1, std::memory_order_relaxed); }
  void release_answerer() noexcept;
  /// For those who hold the call when the message is gone: by whoever retains it, on any thread.
  void keep_ids() noexcept;

  Nanos deadline() const noexcept { return deadline_; }
  std::uint32_t timeout_ms() const noexcept { return timeout_ms_; }
  Purpose purpose() const noexcept { return purpose_; }
  bool runs_inline() const noexcept { return runs_inline_; }
  bool caller_gone() const noexcept;
  /// Of a call for a requester that is being answered: it has been counted as timed out.
  bool was_counted_late() const noexcept { return (state_.load(std::memory_order_acquire) & kGone) != 0; }
  /// Null where it is not attempted here. It changes while the call waits at a gate, if its plugin is replaced
  /// meanwhile; the one before stays valid.
  Endpoint* endpoint() const noexcept { return endpoint_.load(std::memory_order_acquire); }
  std::string_view message_id() const noexcept { return has_kept_ids() ? kept_id_.view() : message_->id(); }
  std::string_view correlation_id() const noexcept {
    return has_kept_ids() ? kept_correlation_id_.view() : message_->correlation_id();
  }
  std::string_view causation_id() const noexcept {
    return has_kept_ids() ? kept_causation_id_.view() : message_->causation_id();
  }
  /// That it came with; of one whose ids have been kept, as it hands it on.
  std::string_view traceparent() const noexcept {
    return has_kept_ids() ? kept_traceparent_.view() : message_->traceparent();
  }
  /// The trace that a message which it causes belongs to, if it was begun elsewhere; else empty.
  std::string handed_on_traceparent() const {
    return has_kept_ids() ? std::string(kept_traceparent_.view()) : message_->handed_on_traceparent();
  }
  /// Whether some are told of it when it is over (WholeCall), and whether its handler was called.
  bool is_told_as_a_whole() const noexcept { return is_told_as_a_whole_; }
  void is_told_as_a_whole(bool is) noexcept { is_told_as_a_whole_ = is; }
  bool was_handled() const noexcept { return was_handled_; }
  /// Whether what it does is to be remembered (TraceParent::sampled).
  bool is_sampled() const noexcept { return is_sampled_; }
  /// Its handler has returned, at `at` in ticks. True: the call had ended by then, so that nobody told how long it ran.
  bool stopped_at(std::uint64_t at) noexcept {
    stopped_.store(at, std::memory_order_seq_cst);
    const std::uint32_t state = state_.load(std::memory_order_seq_cst);
    return (state & kGone) != 0 || ((state & kAnswered) != 0 && !staged_);
  }
  struct Ran {
    Nanos queued = 0;
    Nanos running = 0;
  };
  /// How long, if its handler has returned here.
  std::optional<Ran> ran() const noexcept;
  /// Whether that has left its answer to somebody.
  bool is_deferred() const noexcept { return progress_.load(std::memory_order_relaxed) == CallRow::State::deferred; }
  /// Whether something that took so long is: also where it has used up a good part of its budget.
  bool leaves_trail(Nanos took) const noexcept;
  /// What a message that it causes inherits, where that has none of its own.
  const Payload& logger_metadata() const noexcept {
    return has_kept_ids() ? kept_metadata_ : message_->logger_metadata();
  }

  // -- attempts at other nodes (attempt.cpp)

  /// Where in the slab it lies; part of its attempts' numbers.
  std::uint32_t index() const noexcept { return index_; }
  static std::uint32_t index_of(std::uint64_t attempt) noexcept { return attempt & ((1U << kIndexBits) - 1); }

  /// Sends the call to a peer. With a seat for a caller that waits on this thread, else for a callback.
  AttemptSent attempt_at(std::shared_ptr<Peer> peer, bool idempotent, Seat* seat, Nanos now);
  /// Makes the attempt of that number one's own to end; false where it has ended already.
  bool claim_attempt(std::uint64_t attempt) noexcept { return take_attempt(attempt, 0); }
  /// The same for an answer that came at `now`; false also where the call's time was over by then, though nobody may
  /// have noticed yet. `answering_node`: who answers, if it is not who the request was sent to (C-R6); else empty.
  bool claim_for_answer(std::uint64_t attempt, Nanos now, std::string_view answering_node) noexcept;
  /// The attempt is claimed and was answered with this. `from`: whose socket the answer came through, or null.
  void attempt_answered(const Peer* from, const wire::Envelope& answer) noexcept;
  /// The attempt of that number, if it is under way, will be answered by another node (C-R6); null: which is not known.
  void move_attempt(std::uint64_t attempt, std::string_view node, std::shared_ptr<Peer> to) noexcept;
  /// As what it is at another node, for whoever knows that it is waited for: nothing while it is between two.
  /// Errors: std::bad_alloc.
  std::optional<SentCall> sent_as(const std::string& from, const std::string& message_id);
  /// Ends the attempt if it is at this peer, which is gone.
  void peer_down(const Peer& peer, std::string_view reason) noexcept;
  /// Gives up whatever attempt is under way, and returns its number; 0: there was none.
  std::uint64_t abandon_attempt() noexcept;

  /// Whether what came back lets the call go on to another provider (C-D4, C-D15, C-D18), or to the one that the router
  /// has chosen (C-R6). After a delivery.
  bool asks_for_another() const noexcept;
  /// Before the next attempt: notes who gave which reason, and makes the call as if it had not been answered.
  void prepare_next();
  const std::vector<NodeReason>& tried() const noexcept { return tried_; }
  bool has_tried(std::string_view node) const noexcept;
  /// No provider is left: the response becomes what that means.
  void no_provider_left();
  std::string_view only_node() const noexcept { return wishes_.node(); }
  /// The peer that the last attempt was at, or who was to answer it; null: it was here.
  Peer* last_peer() const noexcept { return moved_to_ ? moved_to_.get() : peer_.get(); }
  /// The node that the last attempt was at; empty: it was here.
  std::string_view last_node() const noexcept {
    if (!answered_at_.empty()) return answered_at_.view();
    if (moved_to_) return moved_to_->name();
    return peer_ ? std::string_view(peer_->name()) : std::string_view{};
  }
  bool is_forwarded() const noexcept { return is_forwarded_; }
  bool forwards() const noexcept { return forwards_; }

  // -- for a requester at another node

  const std::shared_ptr<Requester>& requester() const noexcept { return requester_; }
  std::uint64_t requester_attempt() const noexcept { return requester_attempt_.load(std::memory_order_relaxed); }
  bool certainly_unstarted() const noexcept { return unstarted_; }
  const Payload* changed_assigns() const noexcept { return assigns_changed_ ? &assigns_ : nullptr; }
  const Payload& events() const noexcept { return events_; }
  /// Whether it is such a call, of this dispatcher. By any thread, for any slot.
  bool is_for_a_node_by(const Dispatcher& dispatcher) const noexcept {
    return served_as_.load(std::memory_order_acquire) != 0 &&
           dispatcher_.load(std::memory_order_relaxed) == &dispatcher;
  }
  /// Marks the call as given up if it is this one of the requester. By any thread, for any slot.
  void cancel_for(const Requester& requester, std::uint64_t attempt) noexcept;

  // -- its places at the gates of its service and plugin (admission.cpp)

  enum class Place : std::uint8_t { service = 1, plugin = 2 };

  /// Goes on to the pool, through the gates that it has not passed yet. By whoever submits it, or has let it in.
  void admit(Nanos now) noexcept;
  /// It was caused by a call inside the same plugin, which does not end before it: it passes where others are held
  /// (Hold). Before it is submitted.
  void is_caused_by(const Call* parent) noexcept;
  /// They have got a place there, and go on. By who has opened the gate.
  static void go_in(CallList& let_in, Place place) noexcept;
  /// Goes on at another version of its plugin, which is there by now, instead of where it waits; where that offers no
  /// such service it is refused. `before`: the version at which it has waited. By who has taken it out of its gates.
  void move_to(Instance& next, std::shared_ptr<const Instance> before) noexcept;
  /// Who waits for a blocking call that this one causes, and keeps places busy meanwhile.
  struct Held {
    Chain callers;
    bool passes = false;  ///< that call passes their gates at once: this one's handler is about to wait for it
  };
  Held held() const;
  /// Whether there may be any.
  bool may_hold_gates() const noexcept {
    return places_.load(std::memory_order_relaxed) != 0 || held_by_callers_.callers != nullptr;
  }
  /// The same of the call that waits for this one. Before it is submitted, or sent.
  void held_by_callers(Held held) noexcept { held_by_callers_ = std::move(held); }
  const ChainLink* callers() const noexcept { return held_by_callers_.callers.get(); }
  bool has_place(Place place) const noexcept {
    return (places_.load(std::memory_order_acquire) & static_cast<std::uint8_t>(place)) != 0;
  }
  bool keeps_place_at(const Gate& gate) const noexcept;
  /// Ends it unstarted, because it would close that circle where it has waited: `at`. By who has taken it out there.
  void refuse_in(const Circle& circle, const Gate& at) noexcept;
  /// Of Waits, under its lock or by whoever has got the call from its gate.
  bool is_among_waits() const noexcept { return is_among_waits_; }
  void is_among_waits(bool is) noexcept { is_among_waits_ = is; }
  Call* next_in_list() const noexcept { return next_in_list_; }
  void set_next_in_list(Call* next) noexcept { next_in_list_ = next; }

  // -- references: one for each group, and one for each canceller

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;

 private:
  friend class CallSlab;

  static constexpr std::uint32_t kAnswered = 1;    // a reply has claimed it
  static constexpr std::uint32_t kDelivered = 2;   // the outcome is with the caller
  static constexpr std::uint32_t kGone = 4;        // nobody waits
  static constexpr std::uint32_t kRunning = 8;     // its handler may read the message
  static constexpr std::uint32_t kMadeUpFor = 16;  // the pool has another thread in place of the one that runs it
  static constexpr Nanos kClaimed = -1;            // in watched_deadline_: being timed out or cancelled
  static constexpr Nanos kUnwatched = kNever - 1;  // there: can be cancelled, but does not time out yet
  static constexpr Nanos kPaused = kNever - 2;     // there: the same, while the call goes on to another provider
  static constexpr std::uint64_t kMoving = 1;      // in attempt_: what belongs to it is being changed; not for long
  static constexpr std::uint64_t kCounted = std::uint64_t{1} << 63;   // in counted_: accepted by the peer
  static constexpr std::uint64_t kPeerGone = std::uint64_t{1} << 62;  // there: the peer went while it was being posted

  enum class Ending : std::uint8_t { waiter, callback, requester };
  enum class Ids : std::uint8_t { with_message, being_kept, kept };

  struct ReplyBuffer {
    busbar_buffer c_buffer;
    Block block;
    ReplyBuffer() noexcept;
    Payload take(std::size_t size) noexcept;
  };

  // Who looks at a slot that it holds no part of pins it: the call there does not change meanwhile.
  class Pin;
  void make_up_for() noexcept;
  std::optional<CallRow> look_here(Nanos now) const;
  std::optional<CallRow> look_elsewhere(const Dispatcher& whose, Nanos now);
  CallRow row(Nanos now) const;

  void run() noexcept override;     // as a pool's task
  void finish() noexcept override;  // the same, afterwards
  void drop() noexcept override;    // the pool stopped first

  Dispatcher& dispatcher() const noexcept { return *dispatcher_.load(std::memory_order_relaxed); }
  bool has_kept_ids() const noexcept { return ids_.load(std::memory_order_acquire) == Ids::kept; }
  bool claim_answer() noexcept { return (state_.fetch_or(kAnswered, std::memory_order_acq_rel) & kAnswered) == 0; }
  bool stage(Response response) noexcept;  // by the runner; false: it was answered from elsewhere
  void stage_as_late() noexcept;
  bool is_too_late() const noexcept;
  void answer_as_late() noexcept;
  void authorize_and_handle();
  void say_who_calls(busbar_message& view) const noexcept;
  bool authorize(const busbar_message& view);
  bool chosen_here(const busbar_message& view);
  void handle(const busbar_message& view);
  void take_reply(const busbar_reply& reply);
  void deliver(const Peer* from = nullptr) noexcept;
  bool give_up_waiting() noexcept;
  void expire_waiter() noexcept;
  void expire_callback() noexcept;
  void expire_for_requester() noexcept;
  void stop_watching() noexcept;
  void run_callback(Message outcome) noexcept;
  void recycle() noexcept;
  void forget_others() noexcept;
  Gate& gate(Place place) const noexcept;
  void take_place(Place place) noexcept;
  bool passes(const Gate& gate) const noexcept;
  void leave_places() noexcept {
    if (places_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      give_places_back();
  }
  void give_places_back() noexcept;
  bool pass_gates(Nanos now) noexcept;
  bool passes_held(const Gate& gate, Place place) const noexcept;
  void refuse_at(Place place, Gate::Entry entry, const Circle& circle) noexcept;
  void refuse_as_late() noexcept;

  static std::uint64_t key_of(const Requester& requester) noexcept;
  static bool is_number(std::uint64_t attempt) noexcept { return attempt > kMoving; }
  std::uint64_t open_attempt(std::shared_ptr<Peer> peer, bool idempotent, bool posted, Nanos remaining,
                             wire::Bytes& request);
  bool take_attempt(std::uint64_t attempt, std::uint64_t becomes) noexcept;
  void count_posted(Peer& peer, std::uint64_t attempt) noexcept;
  void end_count() noexcept;
  void is_with(Peer* peer) noexcept;
  bool left_to_poster(std::uint64_t attempt) noexcept;
  void take_answer(const wire::Envelope& answer);
  std::string refusal_reason() const;
  void attempt_lost(const std::string& why, const Peer* from) noexcept;

  // constant from begin() on
  std::atomic<Dispatcher*> dispatcher_{nullptr};  // atomic: the supervisor looks at slots that are being reused
  std::atomic<Endpoint*> endpoint_{nullptr};      // but for move_to
  const Message* message_ = nullptr;
  Nanos deadline_ = 0;
  std::uint64_t came_ = 0;  // in ticks
  std::uint32_t timeout_ms_ = 0;
  std::uint32_t index_ = 0;  // the slab's
  Purpose purpose_ = Purpose::serve;
  DryRun dry_run_ = DryRun::no;
  Ending ending_ = Ending::waiter;
  bool runs_inline_ = false;
  bool staged_ = false;        // the runner's: its handler has answered on this thread
  bool is_forwarded_ = false;  // came from a node that has authorized and chosen; or goes to one that must do neither
  bool is_sampled_ = false;
  bool is_told_as_a_whole_ = false;
  bool was_handled_ = false;
  bool is_nested_ = false;                                        // its plugin waits for it
  std::atomic<CallRow::State> progress_{CallRow::State::queued};  // here; for who looks

  std::atomic<std::uint32_t> state_{0};
  std::atomic<std::uint32_t> references_{0};
  std::atomic<std::uint32_t> answerers_{0};
  std::atomic<Nanos> watched_deadline_{kNever};
  Waiter waiter_;

  Message owned_message_;
  Callback callback_;
  std::atomic<bool> attempt_open_{false};
  std::atomic<std::uint64_t> begun_{0};  // in ticks; relaxed: only observers look at them
  std::atomic<std::uint64_t> started_{0};
  std::atomic<std::uint64_t> stopped_{0};
  std::atomic<Ids> ids_{Ids::with_message};
  Text kept_id_;  // for those who hold the call when the message is gone
  Text kept_correlation_id_;
  Text kept_causation_id_;
  Text kept_traceparent_;
  Payload kept_metadata_;

  // written by whoever claimed the answer, read after the delivery
  Response response_;
  Payload assigns_;
  Payload events_;
  bool assigns_changed_ = false;
  bool outcome_taken_ = false;
  bool unstarted_ = false;  // the handler was certainly not started
  bool lost_ = false;       // the peer went while the attempt was under way
  bool forwards_ = false;   // the router has chosen only_node()
  ReplyBuffer reply_buffer_;

  // the attempt at another node
  std::atomic<std::uint64_t> attempt_{0};    // its number, while it is under way
  std::atomic<Peer*> answered_by_{nullptr};  // whose end ends it, and who counts it as pending; null: nobody
  std::atomic<std::uint64_t> counted_{0};    // its number while it is being posted, then with a mark; 0: ended, or sent
  std::uint64_t attempts_made_ = 0;          // of this slot, ever: no number is used twice (C-D6)
  std::shared_ptr<Peer> peer_;               // where it was sent, and where its caller sits
  std::shared_ptr<Peer> moved_to_;           // who answers it instead (C-R6)
  Text answered_at_;                         // who has; empty: peer_
  bool idempotent_ = false;
  bool keeps_last_ = false;  // what came back last is the answer, if no provider is left
  std::vector<NodeReason> tried_;
  std::unique_ptr<Response> circle_;  // the first of them refused it because of that; else null
  Wishes wishes_;

  // for a requester at another node
  std::shared_ptr<Requester> requester_;
  std::atomic<std::uint64_t> requested_by_{0};  // key_of it
  std::atomic<std::uint64_t> requester_attempt_{0};
  std::atomic<std::uint64_t> served_as_{0};  // a number of its own for each such call of this slot; 0: none
  std::atomic<std::uint64_t> given_up_{0};   // the number of the one that was cancelled

  // for who looks at it from outside
  std::atomic<const Instance*> inside_{nullptr};  // null: it is hidden
  std::atomic<bool> pinned_{false};
  std::shared_ptr<const Instance> moved_from_;  // some may still read its endpoint

  // at the gates
  std::atomic<std::uint8_t> places_{0};  // of Place
  Held held_by_callers_;                 // constant from when it is submitted, or sent, until it has ended
  bool is_among_waits_ = false;
  Call* next_in_list_ = nullptr;

  Call* next_free_ = nullptr;  // the slab's
};

/// The ids that every line about a call has.
inline CallIds ids_of(const Message& message) noexcept {
  return {message.id(), message.correlation_id(), message.traceparent()};
}
inline CallIds ids_of(const Call& call) noexcept {
  return {call.message_id(), call.correlation_id(), call.traceparent()};
}

}  // namespace busbar::host
