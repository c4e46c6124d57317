// The dispatcher: finds who provides a service, has the call served, and returns what came back (contract, C-D1 to
// C-D18).
#pragma once

#include <busbar/message.hpp>
#include <busbar/registry/registry.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/anteroom.hpp"
#include "dispatch/call.hpp"
#include "dispatch/call_log.hpp"
#include "dispatch/callback.hpp"
#include "dispatch/circles.hpp"
#include "dispatch/client_calls.hpp"
#include "dispatch/given_up.hpp"
#include "dispatch/options.hpp"
#include "dispatch/peer.hpp"
#include "dispatch/pending_call.hpp"
#include "dispatch/reachable.hpp"
#include "dispatch/trail.hpp"
#include "dispatch/waits.hpp"
#include "events/events.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"
#include "stats/stats_book.hpp"

namespace busbar::host {

/// A question to a node that another one asks: the admin side answers it through `requester`, under `attempt`.
using QueryHandler =
    std::function<void(const std::shared_ptr<Requester>& requester, std::uint64_t attempt, wire::Bytes body)>;

/// Where a service can be called: this node (`local`) or a peer, and the router there (C-D12).
struct Provider {
  std::string node;
  std::string router;
};

/// The outcome of asking whether a call would be authorized (C-D11).
struct AuthorizationAnswer {
  enum class Kind { yes, no, service_unavailable, failed } kind = Kind::failed;
  Response response;  ///< no: the refusal · failed: the badrpc
};

/// What was counted of a service of a plugin's version, and what goes on of it.
struct ServiceStats {
  StatsBook::Key key;
  CallCounts counts;
  std::uint32_t queued = 0;    ///< calls that wait their turn
  std::uint32_t running = 0;   ///< whose handlers run; those of inline services are over too soon to be seen
  std::uint32_t deferred = 0;  ///< whose handlers have returned, and that somebody is to answer
};

/// Threads: every function may be called from any thread, and from inside a handler (C-D14).
/// Errors: none thrown but std::bad_alloc; whatever goes wrong is the response.
class Dispatcher final : public PeerEvents, public RequestEvents {
 public:
  /// Ownership: everything given outlives the dispatcher, which outlives every call; the supervisor, which looks at
  /// this one's deadlines, has been stopped before the dispatcher goes.
  Dispatcher(std::string node, registry::Registry& registry, Pool& pool, Supervisor& supervisor, EventStream& events);
  ~Dispatcher() override;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Dispatches and waits; the message becomes what came back (C-M9). A halted one is left untouched (C-D1).
  void dispatch(Message& message, const DispatchOptions& options = {}) {
    dispatch_from(Call::current(), message, options);
  }

  /// The same without waiting.
  void dispatch_async(Message message, Callback callback, const DispatchOptions& options = {}) {
    dispatch_async_from(Call::current(), std::move(message), std::move(callback), options);
  }
  /// The same for a caller that may give up.
  [[nodiscard]] PendingCall dispatch_cancellable(Message message, Callback callback,
                                                 const DispatchOptions& options = {});

  /// With the call that causes this one named: it sets the longest time (C-D8).
  void dispatch_from(const Call* parent, Message& message, const DispatchOptions& options);
  void dispatch_async_from(const Call* parent, Message message, Callback callback, const DispatchOptions& options);

  /// Sets dry_run from no to yes, and dispatches (C-D10).
  void validate(Message& message, const DispatchOptions& options = {});

  /// Whether the provider's router would let the message through, without calling the handler (C-D11). Of a halted
  /// message nobody is asked: `failed`, with its response (C-D1).
  void authorized_async(Message message, std::function<void(AuthorizationAnswer)> callback,
                        const DispatchOptions& options = {});
  AuthorizationAnswer authorized(Message message, const DispatchOptions& options = {});

  /// Who provides the message's service to such a caller; nobody: not found (C-D12).
  std::vector<Provider> discover_service(const Message& message, CallerIs caller = CallerIs::here) const;

  /// Inside a callback: what the people behind the caller are to be told, if this was a dry run; empty: nothing. Not
  /// every service heeds one (C-D10); what counts is the word of the provider that has answered.
  std::string dry_run_warning(const Message& outcome) const;

  const std::string& node() const noexcept { return node_; }
  /// Inside a callback: the node that has answered; this one, where nobody else was asked.
  std::string_view answering_node() const noexcept;

  // -- other nodes (remote.cpp: calls to them; requests.cpp: calls from them)

  /// Asks a node about itself, as its admin socket is asked: `body` is an AdminRequest. The outcome is ok with the
  /// AdminAnswer as its value, or what went wrong. Ends within `timeout_ms`.
  void query_async(std::string_view node, Payload body, Callback callback, std::uint32_t timeout_ms);
  /// Who answers what other nodes and clients ask. Once, before the first request.
  void on_query(QueryHandler handler) { on_query_ = std::move(handler); }
  /// Is told which node has answered what it was never asked, or a second time; on any thread. Once, before the first
  /// request.
  void on_unasked_answer(std::function<void(std::string_view node)> told) { on_unasked_answer_ = std::move(told); }
  /// Until `let_clients_in` what clients ask waits: a request for as long as it may take (5 s, where it does not say),
  /// a query for 9 s. What other nodes ask does not: they know from this one's record what is there. Before the first
  /// request.
  void hold_clients() noexcept { anteroom_.close(); }
  void let_clients_in() noexcept { anteroom_.open(); }
  /// How many calls of one requester may be under way here; one more is refused, unstarted. Before the first request.
  void limit_peer_calls(unsigned most) noexcept { peer_calls_.store(most, std::memory_order_relaxed); }
  /// From now on every request of another node or client is refused with try_another_node(stopping); calls from here go
  /// on.
  void refuse_requests() noexcept;
  /// Waits until other nodes and clients have all their answers, also those that are given later and those of other
  /// nodes, or the time has come. After `refuse_requests`. False: the time came.
  bool wait_for_requests(Nanos deadline) const;
  /// Whether the calls of services that are loaded from now on, and those to other nodes, are counted: by default they
  /// are. Before the first.
  void count_calls(bool count) noexcept { counts_calls_ = count; }
  /// Where calls of that service of a plugin are counted; null: they are not.
  std::shared_ptr<CallStats> stats_of(const std::string& service, const InstanceFacts& plugin);
  /// What was counted of each service that is loaded, and what there is of it now.
  std::vector<ServiceStats> service_stats() const;
  /// How many calls found nobody who provides their service.
  std::uint64_t calls_unserved() const noexcept { return unserved_.load(std::memory_order_relaxed); }
  /// What calls have left behind of where their time went.
  const TrailBook& trails() const noexcept { return trails_; }
  /// Leaves what is known of a handler that has returned after the end of its call; and of an attempt that has ended.
  /// While the message is there.
  void leave_ran(const Call& call, const Call::Ran& ran) const noexcept;
  void leave_end(const Call& call, Outcome outcome, Nanos whole) const noexcept;
  /// Has lines written for calls, those that are dispatched here and those that are served for other nodes: for each
  /// that takes longer, and at the level debug for each. 0: none is too long. Before the first call.
  void log_calls(Logger log, Nanos longest) { call_log_.begin(std::move(log), longest); }
  /// Has a line written for answers that come when their call has been given up. Before the first call.
  void log_late_answers(Logger log) { given_up_.log_to(std::move(log)); }
  /// Answers that were dropped (C-D6): because they came too late, or twice, or to nothing that was asked.
  std::uint64_t late_answers() const noexcept { return late_answers_.load(std::memory_order_relaxed); }
  std::uint64_t unasked_answers() const noexcept { return unasked_answers_.load(std::memory_order_relaxed); }

  /// Answers all calls that are inside the instance, and have not been answered, with badrpc(unloaded); their handlers
  /// are left alone. After its services were withdrawn. Returns which those were, at most so many, and counts all.
  std::vector<EndedInside> end_calls_inside(const Instance& instance, std::size_t most, std::size_t& count);

  /// What goes on: calls that are served here, and those from here to other nodes; the oldest first.
  std::vector<CallRow> calls() const;

  void on_envelope(Peer& peer, const wire::Envelope& envelope, Nanos now) noexcept override;
  void on_down(Peer& peer, std::string_view reason) noexcept override;
  void on_request(const std::shared_ptr<Requester>& from, const wire::Envelope& envelope) noexcept override;
  void on_gone(const Requester& requester) noexcept override;

  // -- for calls

  /// Gives the call to the pool; where that has no room, it is refused.
  void submit(Call& call, Nanos now) noexcept;
  /// How many calls may wait at a gate that would have so many: never more than in the pool's queue.
  std::size_t most_waiting(std::uint32_t max_queued) const noexcept;
  Waits& waits() noexcept { return waits_; }
  GivenUp& given_up() noexcept { return given_up_; }
  /// Has the pool do without the thread of a handler that does not end, and the end of that; false: it cannot.
  bool begin_making_up() noexcept { return pool_.begin_making_up(); }
  void end_making_up() noexcept { pool_.end_making_up(); }
  bool wants(EventKind kind) const noexcept { return events_.wants(kind); }
  /// Whether anybody wants it now of that call (WholeCall).
  bool wants(EventKind kind, const Call& call) const noexcept {
    return call.is_told_as_a_whole() ? events_.wants_singly(mask_of(kind)) : events_.wants(kind);
  }
  /// `begun`: since when it took, in ticks.
  void emit(EventKind kind, const Call& call, std::uint64_t begun = 0) const noexcept {
    if (wants(kind, call)) emit_about(kind, call, begun);
  }
  /// Calls a callback with blocking dispatches forbidden.
  void run_callback(const Callback& callback, Message&& outcome) const noexcept;
  /// An attempt of a call with a callback has been answered: goes on to the next provider, or ends the call.
  void go_on(Call& call) noexcept;
  /// A call for a requester has been answered: sends the answer, or the call on to the node that was chosen.
  void answer(Call& call) noexcept;
  void tell_cancelled(Peer& peer, std::uint64_t attempt) noexcept;
  /// A call is over: has its line in the log, if it gets one. Before it is let go.
  void log_end(const Call& call, std::string_view service, const CallIds& ids, const Response& response) noexcept {
    if (call_log_.may_tell(call.came())) [[unlikely]]
      tell_end(call, service, ids, response);
  }
  /// Tells the observers that an attempt of a call has been answered, and with what.
  void report_end(const Call& call, const Message& message, const Response& response) const noexcept;
  /// Tells the observers that a call is refused because it would close a circle.
  void report_circle(const Call& call, std::string_view why) const noexcept;
  /// Counts an attempt that has ended: here, of its service; elsewhere, of the node.
  void count_end(const Call& call, const Response& response) const noexcept;
  /// Counts a call for a requester as timed out, while it goes on. By who keeps it from being answered meanwhile.
  void count_late(const Call& call) const noexcept;

 private:
  struct Start;
  struct Candidate {
    std::shared_ptr<Peer> peer;  // null: there is none
    bool idempotent = false;
    std::uint32_t timeout_ms = 0;
  };

  Start start_of(bool may_be_inexact, const Call* parent, const Message& message, const DispatchOptions& options) const;
  Endpoint* enter(std::string_view service, CallerIs caller) const;
  Endpoint* find(const Message& message, const DispatchOptions& options) const;
  void tell_discovery(const Message& message) const;
  void settle_unserved(Message& message, std::string_view only_node) const;
  bool refuse_to_block(Message& message) const;
  static void refuse_as_overloaded(Message& message);
  void serve_inline(Endpoint& endpoint, Message& message, const DispatchOptions& options, const Start& start);
  void serve_pooled(Endpoint& endpoint, const Call* parent, Message& message, const DispatchOptions& options,
                    const Start& start);
  void finish_blocking(Call& call, Message& message, bool in_time);
  void conclude(Call& call, Message& message, bool in_time);
  Call* launch(Purpose purpose, const Call* parent, Message&& message, Callback&& callback,
               const DispatchOptions& options, bool cancellable);
  std::uint64_t run_here(Call& call, const Start& start) const noexcept;
  void count_run(Call& call, const Response& response, std::uint64_t from, std::uint64_t to) const noexcept;
  void note_run(Call& call, std::uint64_t from, std::uint64_t to) const noexcept;
  static void note_end(const Call& call, const Response& response) noexcept;
  void tell_end(const Call& call, std::string_view service, const CallIds& ids, const Response& response) noexcept;
  void report_slow_run(const Call& call, std::uint64_t begun) const noexcept;
  void report_start(Purpose purpose, const Endpoint& endpoint, const Message& message) const noexcept;
  void report_start(const Call& call, const Peer& peer) const noexcept;
  void report_inline_start(const Endpoint& endpoint, const Message& message) const noexcept;
  void report_inline_end(const Call& call, const Message& message, const Response& response, std::uint64_t ran_until,
                         std::uint64_t ended) const noexcept;
  Event event_of(const Message& message, const Endpoint* endpoint) const noexcept;
  void emit_about(EventKind kind, const Call& call, std::uint64_t begun) const noexcept;
  void emit(EventKind kind, const Message& message, const Endpoint* endpoint = nullptr) const noexcept;

  // remote.cpp
  Candidate find_remote(const Message& message, const DispatchOptions& options, const Call* call) const;
  Candidate find_named(std::string_view service, std::string_view name, const Call* call) const;
  static Candidate candidate_of(const registry::RemoteProvider* provider);
  void serve_remotely(const Candidate& first, const Call* parent, Message& message, const DispatchOptions& options,
                      const Start& start);
  Call* launch_remotely(Purpose purpose, const Call* parent, Message&& message, Callback&& callback,
                        const DispatchOptions& options, bool cancellable);
  bool ask_others(Call& call);
  bool try_next(Call& call) noexcept;
  AttemptSent next_attempt(Call& call, Seat* seat, Candidate candidate);
  void end_elsewhere(const Call& call, const Message& message, const Response& response) const noexcept;
  void report_unsent(const Call& call, AttemptSent sent) const noexcept;
  void take_answer(const Peer* from, std::string_view node, const wire::Envelope& envelope, Nanos now) noexcept;
  void drop_answer(std::uint64_t attempt, std::string_view node) noexcept;
  void take_forwarded(const wire::Envelope& envelope) noexcept;

  // requests.cpp
  void take_envelope(const std::shared_ptr<Requester>& from, const wire::Envelope& envelope);
  void take_request(const std::shared_ptr<Requester>& from, const wire::Envelope& request);
  void serve_for(std::shared_ptr<Requester> requester, std::uint64_t attempt, const wire::Envelope& request);
  void dispatch_for_client(const std::shared_ptr<Requester>& client, const wire::Envelope& request);
  bool holds(const std::shared_ptr<Requester>& from, const wire::Envelope& envelope);
  void go_on_with(const std::shared_ptr<Requester>& client, wire::Envelope envelope, Nanos waited,
                  Anteroom::End end) noexcept;
  void forward(Call& call);
  void refuse_request(Requester& from, const wire::Envelope& request, const Response& response, bool unstarted);
  void pass_on(const wire::Envelope& unsendable) noexcept;
  void cancel_for(const Requester& requester, std::uint64_t attempt) noexcept;
  bool serves_nodes() const;
  void refuse_as_too_many(Requester& from, const wire::Envelope& request);
  std::shared_ptr<Requester> requester_at(std::string_view node, std::uint64_t incarnation,
                                          std::shared_ptr<Requester> forwarder = nullptr);

  const std::string node_;
  registry::Registry& registry_;
  Pool& pool_;
  Supervisor& supervisor_;
  EventStream& events_;
  QueryHandler on_query_;
  std::function<void(std::string_view node)> on_unasked_answer_ = [](std::string_view) {};
  ClientCalls client_calls_;
  Anteroom anteroom_;
  Waits waits_;
  Circles circles_;
  CallLog call_log_;
  std::atomic<unsigned> peer_calls_{kUsualPeerCalls};
  std::atomic<bool> refusing_{false};
  GivenUp given_up_;
  std::atomic<std::uint64_t> late_answers_{0};
  std::atomic<std::uint64_t> unasked_answers_{0};
  bool counts_calls_ = true;
  StatsBook stats_;
  mutable TrailBook trails_;
  mutable std::atomic<std::uint64_t> unserved_{0};
};

}  // namespace busbar::host
