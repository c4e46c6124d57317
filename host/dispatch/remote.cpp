// Calls to other nodes: which one, and which one next.
#include <algorithm>
#include <new>

#include "dispatch/call_slab.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/message_envelope.hpp"
#include "dispatch/start.hpp"

namespace busbar::host {

namespace {

std::shared_ptr<Peer> as_peer(const std::shared_ptr<registry::RemoteNode>& node) {
  return std::static_pointer_cast<Peer>(node);
}

bool untried(const registry::RemoteNode& node, const Call* call) {
  return node.routable() && (call == nullptr || call->tried().empty() || !call->has_tried(node.name()));
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------- providers

// A provider that the call has not tried, picked as the caller wants it, else as the service says (C-D3): of providers
// that say different things the first by name.
Dispatcher::Candidate Dispatcher::find_remote(const Message& message, const DispatchOptions& options,
                                              const Call* call) const {
  const std::string_view service = message.service_name();
  if (!options.node.empty()) return find_named(service, options.node, call);
  const auto may = [call](const registry::RemoteNode& node) { return untried(node, call); };
  Choice choice{options.prefer.strategy, {}};
  if (!options.prefer.sticky_key.empty()) choice.key = hash_of(options.prefer.sticky_key);
  std::string field;  // where the key still is to be found
  Candidate found = registry_.lookup(service, [&](const registry::ServiceEntry* entry) -> Candidate {
    const auto providers = reachable(entry, options.caller).remote;
    if (providers.empty()) return {};
    const registry::RemoteService& says = *providers.front().service;
    if (choice.strategy == Strategy::standard) choice.strategy = says.strategy;
    if (choice.strategy == Strategy::sticky && !choice.key) field = says.sticky_field;
    return field.empty() ? candidate_of(pick(providers, choice, may)) : Candidate{};
  });
  if (field.empty()) return found;
  choice.key = key_in(message, field);  // outside of the lookup: requests may be large
  return registry_.lookup(service, [&](const registry::ServiceEntry* entry) {
    return candidate_of(pick(reachable(entry, options.caller).remote, choice, may));
  });
}

// The node that was named, also where its record does not have the service.
Dispatcher::Candidate Dispatcher::find_named(std::string_view service, std::string_view name, const Call* call) const {
  Candidate provider = registry_.lookup(service, [&](const registry::ServiceEntry* entry) -> Candidate {
    if (entry == nullptr) return {};
    const auto found = std::find_if(entry->remote.begin(), entry->remote.end(), [&](const auto& row) {
      return row.node->name() == name && untried(*row.node, call);
    });
    return candidate_of(found != entry->remote.end() ? &*found : nullptr);
  });
  if (provider.peer != nullptr) return provider;
  const auto node = registry_.find_node(name);
  return node != nullptr && untried(*node, call) ? Candidate{as_peer(node), false, kUsualTimeoutMs} : Candidate{};
}

Dispatcher::Candidate Dispatcher::candidate_of(const registry::RemoteProvider* provider) {
  if (provider == nullptr) return {};
  const std::uint32_t own = provider->service->timeout_ms;
  return {as_peer(provider->node), provider->service->idempotent, own != 0 ? own : kUsualTimeoutMs};
}

// ----------------------------------------------------------------------------------------------------------- attempts

// Sends the call to the next provider that takes it. Not under way: the response says that none is left, or the call is
// over.
AttemptSent Dispatcher::next_attempt(Call& call, Seat* seat, Candidate candidate) {
  for (;;) {
    if (candidate.peer == nullptr) {
      candidate = find_remote(call.message(), call.wishes().options(), &call);
    }
    if (candidate.peer == nullptr) {
      call.no_provider_left();
      if (call.response().kind() == Response::Kind::service_unavailable) {
        unserved_.fetch_add(1, std::memory_order_relaxed);
        emit(EventKind::service_not_found, call.message());
      }
      return AttemptSent::kRefused;
    }
    const Nanos now = now_ns();
    if (now >= call.deadline()) return AttemptSent::kOver;
    call.begun_at(ticks());
    report_start(call, *candidate.peer);
    call.begin_attempt();
    const AttemptSent sent = call.attempt_at(std::exchange(candidate.peer, nullptr), candidate.idempotent, seat, now);
    if (sent != AttemptSent::kUnderWay && call.end_attempt()) report_unsent(call, sent);
    if (sent != AttemptSent::kRefused || !call.asks_for_another()) return sent;
    call.prepare_next();
  }
}

// An attempt at another node has ended.
void Dispatcher::end_elsewhere(const Call& call, const Message& message, const Response& response) const noexcept {
  report_end(call, message, response);
  count_end(call, response);
}

// Of an attempt that came to nothing. One that was cancelled has no end (C-D8).
void Dispatcher::report_unsent(const Call& call, AttemptSent sent) const noexcept {
  if (sent == AttemptSent::kRefused) return end_elsewhere(call, call.message(), call.response());
  if (now_ns() >= call.deadline()) end_elsewhere(call, call.message(), timed_out());
}

// For a caller that waits on this thread, and whose last attempt asks for another. False: its time is over.
bool Dispatcher::ask_others(Call& call) {
  while (call.asks_for_another()) {
    call.prepare_next();
    Seat seat(call.waiter());
    const AttemptSent sent = next_attempt(call, &seat, {});
    if (sent == AttemptSent::kRefused) return true;
    if (sent == AttemptSent::kOver) return false;
    const bool in_time = call.wait_at_peer(seat);
    end_elsewhere(call, call.message(), in_time ? call.response() : timed_out());
    if (!in_time) return false;
  }
  return true;
}

void Dispatcher::serve_remotely(const Candidate& first, const Call* parent, Message& message,
                                const DispatchOptions& options, const Start& start) {
  Call::Held held;
  if (parent != nullptr && parent->may_hold_gates()) held = parent->held();
  const BlockingScope blocking;
  if (!blocking) return refuse_as_overloaded(message);
  const auto budget = start.budget(first.timeout_ms);
  Call& call = CallSlab::instance().acquire();
  call.begin(*this, nullptr, Purpose::serve, message, budget.deadline, budget.timeout_ms, false);
  call.came_at(start.at_ticks);
  call.heed_borrowed(options);
  if (held.callers) call.held_by_callers(std::move(held));
  bool in_time = false;
  {
    const Waits::Elsewhere elsewhere(waits_, call);
    Seat seat(call.waiter());
    const AttemptSent sent = next_attempt(call, &seat, first);
    in_time = sent == AttemptSent::kRefused;
    if (sent == AttemptSent::kUnderWay) {
      in_time = call.wait_at_peer(seat);
      end_elsewhere(call, message, in_time ? call.response() : timed_out());
    }
    if (in_time && sent == AttemptSent::kUnderWay && call.asks_for_another()) [[unlikely]]
      in_time = ask_others(call);
  }
  conclude(call, message, in_time);
}

Call* Dispatcher::launch_remotely(Purpose purpose, const Call* parent, Message&& message, Callback&& callback,
                                  const DispatchOptions& options, bool cancellable) {
  Candidate first = find_remote(message, options, nullptr);
  if (first.peer == nullptr) {
    settle_unserved(message, options.node);
    run_callback(callback, std::move(message));
    return nullptr;
  }
  const Start start = start_of(false, parent, message, options);
  const auto budget = start.budget(first.timeout_ms);
  Wishes wishes = Wishes::copy(options);
  Call& call = CallSlab::instance().acquire();
  call.begin(*this, nullptr, purpose, message, budget.deadline, budget.timeout_ms, false);
  call.came_at(start.at_ticks);
  call.heed(std::move(wishes));
  call.own_message(std::move(message));
  call.retain();  // it may be over before this function is
  call.deliver_to(std::move(callback));
  call.watch();
  supervisor_.wake_at(budget.deadline);
  if (next_attempt(call, nullptr, std::move(first)) == AttemptSent::kRefused && call.unwatch()) call.finish_callback();
  if (cancellable) return &call;
  call.release();
  return nullptr;
}

void Dispatcher::go_on(Call& call) noexcept {
  // Whoever takes the watched deadline away ends the call: this thread, the supervisor, or a canceller.
  const bool goes_on = call.asks_for_another();
  if (goes_on ? !call.pause_watch() : !call.unwatch()) return;
  call.end_attempt();
  end_elsewhere(call, call.message(), call.response());
  if (goes_on && (!try_next(call) || !call.unwatch())) return;
  call.finish_callback();
}

// Returns whether nobody else is asked, and nobody else ends the call.
bool Dispatcher::try_next(Call& call) noexcept {
  try {
    call.prepare_next();
    // From here on the deadline may end the call, too; whoever called us holds it.
    if (!call.watch_again()) return false;
    supervisor_.wake_at(call.deadline());
    return next_attempt(call, nullptr, {}) == AttemptSent::kRefused;
  } catch (const std::bad_alloc&) {
    return true;  // there is no memory to ask another: what the last one said is the answer
  }
}

void Dispatcher::tell_cancelled(Peer& peer, std::uint64_t attempt) noexcept { peer.post(write_cancel(attempt), false); }

void Dispatcher::query_async(std::string_view node, Payload body, Callback callback, std::uint32_t timeout_ms) {
  Message question = Message::blank();
  question.with_raw_request(std::move(body));
  launch(Purpose::query, Call::current(), std::move(question), std::move(callback), {timeout_ms, node}, false);
}

// ------------------------------------------------------------------------------------------------------- what comes
// back

void Dispatcher::on_envelope(Peer& peer, const wire::Envelope& envelope, Nanos now) noexcept {
  switch (envelope.type) {
    case wire::EnvelopeType::answer:
    case wire::EnvelopeType::document:
    case wire::EnvelopeType::refused:
      return take_answer(&peer, {}, envelope, now);
    case wire::EnvelopeType::forwarded:
      return take_forwarded(envelope);
    default:
      return;  // of a later minor version
  }
}

// `node`: who answers, if it comes through no connection to a peer.
void Dispatcher::take_answer(const Peer* from, std::string_view node, const wire::Envelope& envelope,
                             Nanos now) noexcept {
  if (!envelope.answer_to.empty()) [[unlikely]]
    return pass_on(envelope);
  Call* call = CallSlab::instance().find(Call::index_of(envelope.attempt));
  if (call == nullptr || !call->claim_for_answer(envelope.attempt, now, node)) {
    return drop_answer(envelope.attempt, from != nullptr ? std::string_view(from->name()) : node);
  }
  call->attempt_answered(from, envelope);
}

// That of a call which was given up is nothing out of the ordinary; any other is.
void Dispatcher::drop_answer(std::uint64_t attempt, std::string_view node) noexcept {
  if (given_up_.answered(attempt, node)) {
    late_answers_.fetch_add(1, std::memory_order_relaxed);
  } else {
    unasked_answers_.fetch_add(1, std::memory_order_relaxed);
    on_unasked_answer_(node);
  }
}

void Dispatcher::take_forwarded(const wire::Envelope& envelope) noexcept {
  Call* call = CallSlab::instance().find(Call::index_of(envelope.attempt));
  if (call == nullptr || envelope.node == node_) return;  // who forwarded it to us still stands for it
  auto node = registry_.find_node(envelope.node);
  if (node != nullptr && node->incarnation() != envelope.incarnation) node = nullptr;
  call->move_attempt(envelope.attempt, envelope.node, as_peer(node));
}

void Dispatcher::on_down(Peer& peer, std::string_view reason) noexcept {
  CallSlab::instance().for_each([&](Call& call) { call.peer_down(peer, reason); });
}

}  // namespace busbar::host
