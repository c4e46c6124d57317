#include "dispatch/dispatcher.hpp"

#include <busbar/names.hpp>

#include <algorithm>
#include <future>

#include "dispatch/call_slab.hpp"
#include "dispatch/start.hpp"

namespace busbar::host {

namespace {

// Whether a callback runs on this thread: it belongs to somebody who must not be held up.
thread_local constinit bool in_callback = false;
// How many inline services are nested on this thread's stack.
thread_local constinit unsigned inline_depth = 0;
constexpr unsigned kMaxInlineDepth = 32;

// What a plugin alone can be blamed for.
bool is_fault(const Response& response) noexcept {
  if (!response.is_error(code::kBadRpc)) return false;
  const auto kind = response.bad_rpc_kind();
  return kind == badrpc::kExit || kind == badrpc::kBadReturn;
}

class InlineDepth {
 public:
  InlineDepth() noexcept { ++inline_depth; }
  ~InlineDepth() { --inline_depth; }
  InlineDepth(const InlineDepth&) = delete;
  InlineDepth& operator=(const InlineDepth&) = delete;
};

}  // namespace

Dispatcher::Dispatcher(std::string node, registry::Registry& registry, Pool& pool, Supervisor& supervisor,
                       EventStream& events)
    : node_(std::move(node)),
      registry_(registry),
      pool_(pool),
      supervisor_(supervisor),
      events_(events),
      anteroom_(pool, supervisor,
                [this](const auto& client, const wire::Envelope& envelope, Nanos waited, Anteroom::End end) {
                  go_on_with(client, envelope, waited, end);
                }),
      waits_(node_, supervisor),
      circles_(*this) {
  supervisor_.add_duty([this](Nanos now) {
    Nanos next = std::min(anteroom_.expire(now), circles_.look(now));
    CallSlab::instance().for_each([&](Call& call) { next = std::min(next, call.expire(*this, now)); });
    return next;
  });
}

Dispatcher::~Dispatcher() = default;

Dispatcher::Start Dispatcher::start_of(bool may_be_inexact, const Call* parent, const Message& message,
                                       const DispatchOptions& options) const {
  Start start;
  start.at_ticks = ticks();
  start.timeout_ms = std::min(options.timeout_ms, kMaxTimeoutMs);
  if (may_be_inexact) {
    // An inline service: nobody waits for its deadline while it runs. A recent time will do, and costs less than half.
    start.now = recent_ns(start.at_ticks);
    start.slack = kRecent;
  } else {
    start.now = now_ns();
  }
  if (parent != nullptr) start.latest = parent->deadline();
  if (const auto deadline = message.deadline()) {
    const Nanos own = std::chrono::nanoseconds(deadline->time_since_epoch()).count();
    start.latest = std::min(start.latest, own);
  }
  return start;
}

// ------------------------------------------------------------------------------------------------------ discovery

// Enters the instance that provides the service here, so that it cannot go away; null where none does for such a
// caller.
Endpoint* Dispatcher::enter(std::string_view service, CallerIs caller) const {
  return registry_.lookup_local(service, [caller](registry::LocalProvider* local) -> Endpoint* {
    if (local == nullptr || !is_for(*local, caller)) return nullptr;
    auto* endpoint = static_cast<Endpoint*>(local);
    endpoint->instance().enter();
    return endpoint;
  });
}

Endpoint* Dispatcher::find(const Message& message, const DispatchOptions& options) const {
  constexpr EventMask kDiscovering = mask_of(EventKind::discovering_service);
  if (events_.wants_singly(kDiscovering)) {
    Event event = event_of(message, nullptr);
    events_.emit_singly(kDiscovering, event);
  }
  if (!options.node.empty() && options.node != node_) return nullptr;
  return enter(message.service_name(), options.caller);
}

// To those who are shown inline calls as a whole: this is none, or may become none.
void Dispatcher::tell_discovery(const Message& message) const {
  if (!events_.wants_whole_calls()) return;
  Event event = event_of(message, nullptr);
  events_.emit_to_the_others(mask_of(EventKind::discovering_service), event);
}

void Dispatcher::settle_unserved(Message& message, std::string_view only_node) const {
  const std::string name(message.service_name());
  message.strip_for_return();
  if (!only_node.empty() && only_node != node_) {
    message.respond(Response::bad_rpc(badrpc::kNodedown,
                                      "no node \"" + std::string(only_node) + "\" is known that calls can be sent to"));
    return;
  }
  if (!is_service_name(name)) {
    message.respond(Response::error(code::kMalformed, "the service's name (" + std::to_string(name.size()) +
                                                          " bytes) does not match " + std::string(kServiceNameRule)));
    return;
  }
  unserved_.fetch_add(1, std::memory_order_relaxed);
  emit(EventKind::service_not_found, message);
  message.respond(Response::service_unavailable(name));
}

std::vector<Provider> Dispatcher::discover_service(const Message& message, CallerIs caller) const {
  return registry_.lookup(message.service_name(), [&](const registry::ServiceEntry* entry) -> std::vector<Provider> {
    std::vector<Provider> providers;
    const Reachable there = reachable(entry, caller);
    if (there.local != nullptr) providers.push_back({"local", there.local->router()});
    for (const auto& remote : there.remote) {
      if (remote.node->routable()) providers.push_back({remote.node->name(), remote.service->router});
    }
    return providers;
  });
}

// ------------------------------------------------------------------------------------------- the blocking dispatch

void Dispatcher::dispatch_from(const Call* parent, Message& message, const DispatchOptions& options) {
  if (message.halted()) return;
  if (refuse_to_block(message)) return;
  if (Endpoint* endpoint = find(message, options)) [[likely]] {
    const bool is_inline = endpoint->is_inline();  // asked once: it may change
    if (!is_inline) tell_discovery(message);
    const Start start = start_of(is_inline, parent, message, options);
    return is_inline ? serve_inline(*endpoint, message, options, start)
                     : serve_pooled(*endpoint, parent, message, options, start);
  }
  tell_discovery(message);
  const Candidate provider = find_remote(message, options, nullptr);
  if (provider.peer == nullptr) return settle_unserved(message, options.node);
  serve_remotely(provider, parent, message, options, start_of(false, parent, message, options));
}

bool Dispatcher::refuse_to_block(Message& message) const {
  const Call* running = Call::current();
  if (!in_callback && (running == nullptr || !running->runs_inline())) return false;
  message.strip_for_return();
  message.respond(Response::error(code::kWouldBlock, in_callback
                                                         ? "a callback must not wait for a nested call"
                                                         : "an inline service must not wait for a nested call"));
  return true;
}

void Dispatcher::serve_inline(Endpoint& endpoint, Message& message, const DispatchOptions& options,
                              const Start& start) {
  Entered entered(endpoint);
  const auto budget = start.budget(endpoint.default_timeout_ms());
  report_inline_start(endpoint, message);
  Call& call = CallSlab::instance().acquire();
  call.begin(*this, &endpoint, Purpose::serve, message, budget.deadline, budget.timeout_ms, true);
  call.came_at(start.at_ticks);
  call.is_told_as_a_whole(true);
  entered.taken_over();
  call.heed_borrowed(options);
  const std::uint64_t ended = run_here(call, start);
  if (call.answered_alone() && !call.asks_for_another()) [[likely]] {
    count_run(call, call.response(), start.at_ticks, ended);
    call.put_outcome(message);
    report_inline_end(call, message, message.response(), ended, ended);
    if (call_log_.tells(ended - start.at_ticks)) [[unlikely]]
      tell_end(call, message.service_name(), ids_of(message), message.response());
    call.end_alone();
    return;
  }
  note_run(call, start.at_ticks, ended);
  call.settle();
  // Another thread will answer, and may need the pool for it. Where none is left to make up for this one we wait all
  // the same: the call has been started, so that `overloaded` would send it to another node a second time.
  const BlockingScope blocking;
  const bool in_time = call.wait(pool_.yield_guard(), supervisor_);
  report_inline_end(call, call.message(), in_time ? call.response() : timed_out(), ended, ticks());
  call.is_told_as_a_whole(false);
  finish_blocking(call, message, in_time);
}

// Runs an inline service on this thread, and sees to it that it is short. Returns when it ended, in ticks.
std::uint64_t Dispatcher::run_here(Call& call, const Start& start) const noexcept {
  InlineRun run(call.endpoint()->inline_record(), start.at_ticks);
  {
    const InlineDepth depth;
    call.serve();
  }
  const std::uint64_t ended = ticks();
  if (!run.may_have_broken_promise(ended)) [[likely]]
    return ended;
  const Nanos took = run.took();
  if (run.broke_promise(took)) report_slow_run(call, start.at_ticks);
  return ended;
}

void Dispatcher::serve_pooled(Endpoint& endpoint, const Call* parent, Message& message, const DispatchOptions& options,
                              const Start& start) {
  Entered entered(endpoint);
  Call::Held held;
  if (parent != nullptr && parent->may_hold_gates()) held = parent->held();
  const BlockingScope blocking;
  if (!blocking) return refuse_as_overloaded(message);
  const auto budget = start.budget(endpoint.default_timeout_ms());
  report_start(Purpose::serve, endpoint, message);
  Call& call = CallSlab::instance().acquire();
  call.begin(*this, &endpoint, Purpose::serve, message, budget.deadline, budget.timeout_ms, false);
  call.came_at(start.at_ticks);
  entered.taken_over();
  call.heed_borrowed(options);
  call.own_message(std::move(message));
  if (held.callers) call.held_by_callers(std::move(held));
  if (parent != nullptr) call.is_caused_by(parent);
  call.admit(start.now);
  const bool in_time = call.wait(pool_.yield_guard(), supervisor_);
  message = Message::blank();
  report_end(call, call.message(), in_time ? call.response() : timed_out());
  finish_blocking(call, message, in_time);
}

void Dispatcher::refuse_as_overloaded(Message& message) {
  message.strip_for_return();
  message.respond(Response::error(code::kOverloaded, "every thread of the pool waits for a nested call"));
}

// The last step of a blocking dispatch whose attempt here has ended, and was told of: `message` becomes what came back.
void Dispatcher::finish_blocking(Call& call, Message& message, bool in_time) {
  count_end(call, in_time ? call.response() : timed_out());
  if (in_time && call.asks_for_another()) {
    const Waits::Elsewhere elsewhere(waits_, call);
    in_time = ask_others(call);
  }
  conclude(call, message, in_time);
}

void Dispatcher::conclude(Call& call, Message& message, bool in_time) {
  const bool is_borrowed = &call.message() == &message;
  if (in_time || is_borrowed) call.hide();  // what others look at is about to change
  if (!is_borrowed) message = in_time ? call.take_message() : call.message();
  if (is_borrowed && !in_time && call.endpoint() != nullptr) {  // it goes on, for nobody
    call.own_copy(message);
    call.show();
  }
  if (in_time) {
    call.put_outcome(message);
  } else {
    message.strip_for_return();
    message.respond(Response::service_timeout(message.service_name(), message.id(), call.timeout_ms()));
  }
  log_end(call, message.service_name(), ids_of(message), message.response());
  call.release();
}

void Dispatcher::submit(Call& call, Nanos now) noexcept {
  switch (pool_.submit(call, now)) {
    case Submitted::kAccepted:
      return;
    case Submitted::kFull:
      return call.refuse(Response::error(code::kOverloaded, "the pool's queue is full"));
    case Submitted::kStopped:
      return call.refuse(Response::bad_rpc(badrpc::kUnloaded, "the host is stopping"));
  }
}

std::size_t Dispatcher::most_waiting(std::uint32_t max_queued) const noexcept {
  return std::min<std::size_t>(max_queued, pool_.longest_queue());
}

// --------------------------------------------------------------------------------------- the asynchronous dispatch

void Dispatcher::dispatch_async_from(const Call* parent, Message message, Callback callback,
                                     const DispatchOptions& options) {
  launch(Purpose::serve, parent, std::move(message), std::move(callback), options, false);
}

PendingCall Dispatcher::dispatch_cancellable(Message message, Callback callback, const DispatchOptions& options) {
  return PendingCall(launch(Purpose::serve, Call::current(), std::move(message), std::move(callback), options, true));
}

// Returns the call with a reference for the canceller, where one is asked for and there is still something to cancel.
Call* Dispatcher::launch(Purpose purpose, const Call* parent, Message&& message, Callback&& callback,
                         const DispatchOptions& options, bool cancellable) {
  if (message.halted()) {
    run_callback(callback, std::move(message));
    return nullptr;
  }
  Endpoint* endpoint = purpose == Purpose::query ? nullptr : find(message, options);
  if (purpose != Purpose::query) tell_discovery(message);
  if (endpoint == nullptr) {
    return launch_remotely(purpose, parent, std::move(message), std::move(callback), options, cancellable);
  }
  Entered entered(*endpoint);
  const Start start = start_of(endpoint->is_inline(), parent, message, options);
  const auto budget = start.budget(endpoint->default_timeout_ms());
  report_start(purpose, *endpoint, message);
  const bool runs_inline = endpoint->is_inline();
  Wishes wishes = Wishes::copy(options);
  Call& call = CallSlab::instance().acquire();
  call.begin(*this, endpoint, purpose, message, budget.deadline, budget.timeout_ms, runs_inline);
  call.came_at(start.at_ticks);
  entered.taken_over();
  call.heed(std::move(wishes));
  call.own_message(std::move(message));
  if (cancellable) call.retain();
  call.deliver_to(std::move(callback));
  call.begin_attempt();
  if (!runs_inline) {
    if (call.watch()) supervisor_.wake_at(budget.deadline);
    if (parent != nullptr) call.is_caused_by(parent);
    call.admit(start.now);
  } else if (inline_depth >= kMaxInlineDepth) {
    call.refuse(Response::error(code::kOverloaded, "inline services call each other without end"));
  } else {
    note_run(call, start.at_ticks, run_here(call, start));
    // Only now, and only if somebody is to answer later: no timeout holds while it runs (C-D17).
    if (call.watch()) supervisor_.wake_at(budget.deadline);
    call.settle();
  }
  return cancellable ? &call : nullptr;
}

std::string_view Dispatcher::answering_node() const noexcept {
  const Call* ending = Call::ending();
  return ending == nullptr || ending->last_node().empty() ? std::string_view(node_) : ending->last_node();
}

void Dispatcher::run_callback(const Callback& callback, Message&& outcome) const noexcept {
  const bool outer = std::exchange(in_callback, true);
  callback(std::move(outcome));
  in_callback = outer;
}

// ---------------------------------------------------------------------------------- validation and authorization

void Dispatcher::validate(Message& message, const DispatchOptions& options) {
  if (message.halted()) return;
  message.with_dry_run(for_validation(message.dry_run()));
  dispatch(message, options);
}

void Dispatcher::authorized_async(Message message, std::function<void(AuthorizationAnswer)> callback,
                                  const DispatchOptions& options) {
  using Kind = AuthorizationAnswer::Kind;
  // What it is halted with is no router's word: an ok would be taken for a yes (C-D1).
  if (message.halted()) return callback({Kind::failed, message.response()});
  const auto answer = [callback = std::move(callback)](Message&& outcome) {
    const Response& response = outcome.response();
    if (response.kind() == Response::Kind::ok) return callback({Kind::yes, {}});
    if (response.kind() == Response::Kind::service_unavailable) return callback({Kind::service_unavailable, response});
    if (response.kind() == Response::Kind::service_timeout) {
      return callback(
          {Kind::failed, Response::bad_rpc(badrpc::kTimeout, "the provider's router did not answer in " +
                                                                 std::to_string(response.timeout_ms()) + " ms")});
    }
    const bool failed = response.is_error(code::kBadRpc) || response.is_error(code::kNoNodesAvailable) ||
                        response.is_error(code::kOverloaded) || response.is_error(code::kMalformed);
    callback({failed ? Kind::failed : Kind::no, response});
  };
  launch(Purpose::authorize_only, Call::current(), std::move(message), answer, options, false);
}

AuthorizationAnswer Dispatcher::authorized(Message message, const DispatchOptions& options) {
  if (message.halted()) return {AuthorizationAnswer::Kind::failed, message.response()};
  if (refuse_to_block(message)) return {AuthorizationAnswer::Kind::failed, message.response()};
  const BlockingScope blocking;
  if (!blocking) {
    return {AuthorizationAnswer::Kind::failed,
            Response::error(code::kOverloaded, "every thread of the pool waits for a nested call")};
  }
  // Ends at the deadline at the latest: the asynchronous form watches it.
  const auto promise = std::make_shared<std::promise<AuthorizationAnswer>>();
  authorized_async(
      std::move(message), [promise](AuthorizationAnswer answer) { promise->set_value(std::move(answer)); }, options);
  return promise->get_future().get();
}

// ------------------------------------------------------------------------------------------------------ observation

void Dispatcher::report_slow_run(const Call& call, std::uint64_t begun) const noexcept {
  Endpoint& endpoint = *call.endpoint();
  endpoint.count_slow_run();
  if (!wants(EventKind::inline_service_too_slow)) return;
  Event event;
  event.kind = EventKind::inline_service_too_slow;
  event.service = endpoint.service();
  event.plugin = endpoint.router();
  event.message_id = call.message_id();
  event.correlation_id = call.correlation_id();
  event.traceparent = call.traceparent();
  event.node = node_;
  event.reason = endpoint.is_inline() ? "ran over 1 ms" : "ran over 1 ms for the third time: moved to the pool";
  event.begun = begun;
  events_.emit(event);
}

void Dispatcher::report_circle(const Call& call, std::string_view why) const noexcept {
  if (!wants(EventKind::circle_refused)) return;
  Event event = event_of(call.message(), call.endpoint());
  event.kind = EventKind::circle_refused;
  event.reason = why;
  events_.emit(event);
}

// A provider here is about to be asked: for an answer, or for leave alone (C-D11).
void Dispatcher::report_start(Purpose purpose, const Endpoint& endpoint, const Message& message) const noexcept {
  constexpr EventMask kAsk = mask_of(EventKind::service_found) | mask_of(EventKind::service_request_received);
  constexpr EventMask kServe = kAsk | mask_of(EventKind::invoking_service);
  if (!events_.wants_any(kServe)) return;
  Event event = event_of(message, &endpoint);
  events_.emit_as(purpose == Purpose::serve ? kServe : kAsk, event);
}

// The same for an inline service, of which some are told when it is over.
void Dispatcher::report_inline_start(const Endpoint& endpoint, const Message& message) const noexcept {
  constexpr EventMask kStart = WholeCall::kAtBegin & ~mask_of(EventKind::discovering_service) &
                               ~mask_of(EventKind::checking_if_service_call_is_authorized);
  if (!events_.wants_singly(kStart)) return;
  Event event = event_of(message, &endpoint);
  events_.emit_singly(kStart, event);
}

void Dispatcher::report_inline_end(const Call& call, const Message& message, const Response& response,
                                   std::uint64_t ran_until, std::uint64_t ended) const noexcept {
  report_end(call, message, response);
  if (!events_.wants_whole_calls()) return;
  const Endpoint& endpoint = *call.endpoint();
  const bool failed = response.kind() == Response::Kind::error;
  events_.emit_whole({.is_public = endpoint.visibility() == registry::Visibility::public_,
                      .handled = call.was_handled(),
                      .response = response.kind(),
                      .service = message.service_name(),
                      .message_id = message.id(),
                      .correlation_id = message.correlation_id(),
                      .node = node_,
                      .origin = message.origin_node(),
                      .plugin = endpoint.router(),
                      .reason = failed ? response.reason() : std::string_view(),
                      .code = failed ? response.error_code() : std::string_view(),
                      .begun = call.begun(),
                      .ran_until = ran_until,
                      .ended = ended});
}

// The same for one elsewhere, which tells itself that it has received the request.
void Dispatcher::report_start(const Call& call, const Peer& peer) const noexcept {
  constexpr EventMask kFound = mask_of(EventKind::service_found);
  constexpr EventMask kServe = kFound | mask_of(EventKind::invoking_service);
  if (call.purpose() == Purpose::query || !events_.wants_any(kServe)) return;
  Event event = event_of(call.message(), nullptr);
  event.node = peer.name();
  events_.emit_as(call.purpose() == Purpose::serve ? kServe : kFound, event);
}

void Dispatcher::report_end(const Call& call, const Message& message, const Response& response) const noexcept {
  constexpr EventMask kResponded = mask_of(EventKind::service_responded);
  const bool singly = call.is_told_as_a_whole();
  if (call.purpose() != Purpose::serve) return;
  if (singly ? !events_.wants_singly(kResponded) : !wants(EventKind::service_responded)) return;
  const std::string_view peer = call.last_node();
  Event event = event_of(message, peer.empty() ? call.endpoint() : nullptr);
  event.kind = EventKind::service_responded;
  if (!peer.empty()) event.node = peer;
  event.response = response.kind();
  if (response.kind() == Response::Kind::error) {
    event.code = response.error_code();
    event.reason = response.reason();
  }
  event.begun = call.begun();
  if (singly) {
    events_.emit_singly(kResponded, event);
  } else {
    events_.emit(event);
  }
}

void Dispatcher::count_end(const Call& call, const Response& response) const noexcept {
  if (call.purpose() != Purpose::serve) return;
  Peer* const peer = call.last_peer();
  CallStats* stats = nullptr;
  if (peer != nullptr) {
    if (counts_calls_) stats = &peer->stats();
  } else if (call.endpoint() != nullptr) {
    note_end(call, response);
    stats = call.endpoint()->stats();
  }
  if (call.forwards()) return;
  const Outcome outcome = outcome_of(response);
  const Nanos took = counted_nanos(call.begun(), ticks());
  if (stats != nullptr) {
    stats->ended(outcome, took);
    if (peer == nullptr && outcome == Outcome::service_timeout && call.was_not_started()) stats->waited_in_vain(took);
  }
  if (call.leaves_trail(took)) leave_end(call, outcome, took);
}

// Whether it goes to another node may be decided at this moment: that is not asked. Here it has run out of time.
void Dispatcher::count_late(const Call& call) const noexcept {
  if (call.purpose() != Purpose::serve) return;
  const Endpoint& endpoint = *call.endpoint();
  endpoint.instance().count_error();
  endpoint.instance().note_first(false);
  const Nanos took = counted_nanos(call.begun(), ticks());
  if (CallStats* stats = endpoint.stats()) {
    stats->ended(Outcome::service_timeout, took);
    if (call.was_not_started()) stats->waited_in_vain(took);
  }
  if (call.leaves_trail(took)) leave_end(call, Outcome::service_timeout, took);
}

// The same for one that did no more than run on this thread, from then to then, in ticks.
void Dispatcher::count_run(Call& call, const Response& response, std::uint64_t from, std::uint64_t to) const noexcept {
  note_end(call, response);
  const Outcome outcome = outcome_of(response);
  const Nanos took = counted_nanos(from, to);
  if (CallStats* stats = call.endpoint()->stats()) stats->ran_inline(outcome, took);
  if (!call.is_sampled()) [[likely]]
    return;
  call.stopped_at(to);
  leave_end(call, outcome, took);
}

// The handler of an inline service has returned, of a call that is not over with that, or not this node's own.
void Dispatcher::note_run(Call& call, std::uint64_t from, std::uint64_t to) const noexcept {
  if (call.purpose() != Purpose::serve) return;
  const Nanos took = counted_nanos(from, to);
  if (CallStats* stats = call.endpoint()->stats()) stats->ran(0, took);
  if (call.stopped_at(to) && call.leaves_trail(took)) leave_ran(call, {0, took});
}

void Dispatcher::note_end(const Call& call, const Response& response) noexcept {
  Instance& instance = call.endpoint()->instance();
  if (!response.succeeded() && !call.forwards()) instance.count_error();
  instance.note_first(is_fault(response));
}

std::shared_ptr<CallStats> Dispatcher::stats_of(const std::string& service, const InstanceFacts& plugin) {
  return counts_calls_ ? stats_.of({service, plugin.plugin, plugin.version}) : nullptr;
}

void Dispatcher::tell_end(const Call& call, std::string_view service, const CallIds& ids,
                          const Response& response) noexcept {
  if (call.purpose() != Purpose::serve) return;
  const std::string_view node = call.last_node().empty() ? std::string_view(node_) : call.last_node();
  call_log_.tell(call.came(), service, node, response, ids);
}

void Dispatcher::emit_about(EventKind kind, const Call& call, std::uint64_t begun) const noexcept {
  Event event = event_of(call.message(), call.endpoint());
  event.kind = kind;
  event.begun = begun;
  if (call.is_told_as_a_whole()) {
    events_.emit_singly(mask_of(kind), event);
  } else {
    events_.emit(event);
  }
}

void Dispatcher::emit(EventKind kind, const Message& message, const Endpoint* endpoint) const noexcept {
  if (!wants(kind)) return;
  Event event = event_of(message, endpoint);
  event.kind = kind;
  events_.emit(event);
}

// What all events about a message have in common; `endpoint`: who serves it here, if it is known.
Event Dispatcher::event_of(const Message& message, const Endpoint* endpoint) const noexcept {
  // In one go: an event that is emptied first takes twice as long.
  return {.is_public = endpoint == nullptr || endpoint->visibility() == registry::Visibility::public_,
          .service = message.service_name(),
          .message_id = message.id(),
          .correlation_id = message.correlation_id(),
          .traceparent = message.traceparent(),
          .node = node_,
          .plugin = endpoint == nullptr ? std::string_view() : endpoint->router(),
          .origin = message.origin_node()};
}

}  // namespace busbar::host
