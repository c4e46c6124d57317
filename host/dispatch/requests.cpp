// Calls from other nodes and from clients.
#include <busbar/names.hpp>

#include <algorithm>
#include <optional>

#include "dispatch/call_slab.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/message_envelope.hpp"
#include "dispatch/start.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

using wire::Envelope;
using wire::EnvelopeType;

// Answers a node that did not send the request itself, through our own connection to it (C-R6).
class ForwardedFor final : public Requester {
 public:
  ForwardedFor(std::shared_ptr<Peer> peer, std::shared_ptr<Requester> forwarder) noexcept
      : peer_(std::move(peer)), forwarder_(std::move(forwarder)) {}
  Sent answer(std::span<const std::uint8_t> envelope, bool) noexcept override { return peer_->post(envelope, false); }
  bool gone() const noexcept override { return !peer_->routable(); }
  wire::Role role() const noexcept override { return wire::Role::node; }
  const std::string& name() const noexcept override { return peer_->name(); }
  std::uint64_t incarnation() const noexcept override { return peer_->incarnation(); }
  const keys::Identity* owner() const noexcept override { return forwarder_ ? forwarder_->owner() : nullptr; }

 private:
  const Requester& counted() const noexcept override {
    if (forwarder_ == nullptr) return *this;
    return *forwarder_;
  }

  const std::shared_ptr<Peer> peer_;
  const std::shared_ptr<Requester> forwarder_;
};

// This node itself waits: it was chosen by the one that it had asked.
class AnsweredHere final : public Requester {
 public:
  using Take = std::function<void(const Envelope&)>;
  AnsweredHere(std::string node, std::uint64_t incarnation, Take take, std::shared_ptr<Requester> forwarder)
      : node_(std::move(node)), incarnation_(incarnation), take_(std::move(take)), forwarder_(std::move(forwarder)) {}
  Sent answer(std::span<const std::uint8_t> envelope, bool) noexcept override {
    take_(wire::read_envelope(envelope));
    return Sent::kYes;
  }
  bool gone() const noexcept override { return false; }
  wire::Role role() const noexcept override { return wire::Role::node; }
  const std::string& name() const noexcept override { return node_; }
  std::uint64_t incarnation() const noexcept override { return incarnation_; }
  const keys::Identity* owner() const noexcept override { return forwarder_ ? forwarder_->owner() : nullptr; }

 private:
  const Requester& counted() const noexcept override {
    if (forwarder_ == nullptr) return *this;
    return *forwarder_;
  }

  const std::string node_;
  const std::uint64_t incarnation_;
  const Take take_;
  const std::shared_ptr<Requester> forwarder_;
};

// A call that counts as under way, until it is somebody else's to say that it is not.
class Counted {
 public:
  explicit Counted(const Requester& requester) noexcept : requester_(&requester) {}
  ~Counted() {
    if (requester_ != nullptr) requester_->call_ended();
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  void taken_over() noexcept { requester_ = nullptr; }

 private:
  const Requester* requester_;
};

// What is wrong with a request's fields, in words; empty: nothing.
std::string fault_of(const Envelope& request) {
  if (!is_service_name(request.service)) {
    return "the service's name (" + std::to_string(request.service.size()) + " bytes) does not match " +
           std::string(kServiceNameRule);
  }
  for (const std::string_view id : {request.message_id, request.correlation_id, request.causation_id}) {
    if (!id.empty() && !is_message_id(id)) return "an id of the message is not 1 to 128 of [A-Za-z0-9_-]";
  }
  if (request.message_id.empty()) return "the message has no id";
  if (request.dry_run > BUSBAR_DRY_RUN_VERBOSE) return "the message's dry_run is none";
  if (request.strategy > BUSBAR_STRATEGY_STICKY) {
    return "the strategy is " + std::to_string(request.strategy) +
           ", expected 0 (as the service says), 1 (random), 2 (least pending) or 3 (sticky)";
  }
  if (!request.sticky_key.empty() && request.strategy != BUSBAR_STRATEGY_STICKY)
    return "there is a sticky_key, expected with strategy 3 (sticky) alone";
  return {};
}

// Who waits for the call, where that is another node's that keeps places busy meanwhile. Null without memory.
Chain asked_by(const Requester& requester, std::uint64_t attempt, const Envelope& request) noexcept try {
  auto link = std::make_shared<ChainLink>();
  link->message_id = request.message_id;
  link->node = requester.name();
  link->attempt = attempt;
  return link;
} catch (const std::bad_alloc&) {
  return nullptr;
}

void answer_bare(Requester& to, std::uint64_t attempt, const Response& response, bool unstarted) {
  to.answer(write_bare_answer(attempt, response, unstarted), false);
}

// Sends an answer; where it does not fit, its caller is told at once rather than left to wait. It is not asked to try
// another node: the handler has run.
void answer_or_say_why(Requester& to, std::uint64_t attempt, wire::Bytes answer, bool more_follow) {
  const Sent sent = to.answer(answer, more_follow);
  if (sent == Sent::kYes || sent == Sent::kDown) return;
  const std::string who = to.role() == wire::Role::node ? "node " + to.name()
                          : to.name().empty()           ? "the client"
                                                        : "client " + to.name();
  const std::string why =
      "the answer's " + std::to_string(answer.size()) + " bytes are more than " +
      (sent == Sent::kTooLarge ? who + " accepts" : "may still wait to be sent to " + who + " (limits.peer_queue)");
  answer_bare(to, attempt, Response::bad_rpc(badrpc::kBadReturn, why), false);
}

}  // namespace

void Dispatcher::on_request(const std::shared_ptr<Requester>& from, const Envelope& envelope) noexcept {
  try {
    try {
      take_envelope(from, envelope);
    } catch (const MalformedPayload& malformed) {
      refuse_request(*from, envelope, Response::error(code::kMalformed, malformed.what()), false);
    }
  } catch (const std::bad_alloc&) {
    // Nothing to answer with: the caller's budget ends it.
  }
}

void Dispatcher::take_envelope(const std::shared_ptr<Requester>& from, const Envelope& envelope) {
  switch (envelope.type) {
    case EnvelopeType::request:
      return take_request(from, envelope);
    case EnvelopeType::answer:  // of a call that was forwarded there
      if (from->role() == wire::Role::node) take_answer(nullptr, from->name(), envelope, now_ns());
      return;
    case EnvelopeType::cancel:
      return cancel_for(*from, envelope.attempt);
    case EnvelopeType::query:
      if (circles_.answers(*from, envelope)) return;
      if (on_query_ && !holds(from, envelope)) on_query_(from, envelope.attempt, envelope.body);
      return;
    default:
      return;  // of a later minor version
  }
}

void Dispatcher::on_gone(const Requester& requester) noexcept {
  // Calls for nodes ask the requester itself (Call::caller_gone).
  if (requester.role() != wire::Role::client) return;
  anteroom_.forget_all(requester);
  client_calls_.cancel_all(requester);
}

void Dispatcher::cancel_for(const Requester& requester, std::uint64_t attempt) noexcept {
  if (requester.role() == wire::Role::client) {
    anteroom_.forget(requester, attempt);
    return client_calls_.cancel(requester, attempt);
  }
  CallSlab::instance().for_each([&](Call& call) { call.cancel_for(requester, attempt); });
}

// Refused unstarted, so that a node asks another one (C-D15).
void Dispatcher::refuse_as_too_many(Requester& from, const Envelope& request) {
  refuse_request(from, request,
                 Response::error(code::kOverloaded,
                                 "there are " + std::to_string(peer_calls_) +
                                     " calls of this connection under way, which is the most that limits.peer_calls of "
                                     "node " +
                                     in_quotes(node_) + " allows"),
                 true);
}

void Dispatcher::take_request(const std::shared_ptr<Requester>& from, const Envelope& request) {
  if (const std::string fault = fault_of(request); !fault.empty()) {
    return refuse_request(*from, request, Response::error(code::kMalformed, fault), false);
  }
  if (refusing_.load(std::memory_order_relaxed)) {
    return refuse_request(*from, request, Response::try_another_node("stopping"), true);
  }
  if (from->role() == wire::Role::client) {
    if (request.is_forwarded) {
      return answer_bare(*from, request.attempt,
                         Response::error(code::kForbidden, "only a node can forward a call, and this is a client"),
                         true);
    }
    if (!holds(from, request)) dispatch_for_client(from, request);
    return;
  }
  if (!request.is_forwarded || request.answer_to.empty()) return serve_for(from, request.attempt, request);
  if (auto waiting = requester_at(request.answer_to, request.answer_to_incarnation, from)) {
    return serve_for(std::move(waiting), request.answer_attempt, request);
  }
  refuse_request(
      *from, request,
      Response::bad_rpc(badrpc::kNodedown, "node " + in_quotes(node_) + ", which choose_node has named, has " +
                                               "no connection to node " + in_quotes(request.answer_to) +
                                               ", which waits for the answer"),
      true);
}

// Answers a request that is not served: the node that waits for it; where there is no way to that one, who has
// forwarded it is to pass the answer on.
void Dispatcher::refuse_request(Requester& from, const Envelope& request, const Response& response, bool unstarted) {
  if (from.role() != wire::Role::node || !request.is_forwarded || request.answer_to.empty()) {
    return answer_bare(from, request.attempt, response, unstarted);
  }
  if (const auto waiting = requester_at(request.answer_to, request.answer_to_incarnation)) {
    return answer_bare(*waiting, request.answer_attempt, response, unstarted);
  }
  // By our own connection to it, if there is one: on its own to us it may look for answers later.
  const auto forwarder = requester_at(from.name(), from.incarnation());
  (forwarder ? *forwarder : from).answer(write_unsendable_answer(request, response, unstarted), false);
}

void Dispatcher::pass_on(const Envelope& unsendable) noexcept {
  try {
    const auto waiting = requester_at(unsendable.answer_to, unsendable.answer_to_incarnation);
    if (waiting) waiting->answer(write_passed_on(unsendable), false);
  } catch (const std::bad_alloc&) {
    // Nothing to pass it on with: the caller's budget ends it.
  }
}

// A node as somebody to answer; null: there is no connection to it. `forwarder`: who has asked in its stead, and is who
// the call verifiably comes from.
std::shared_ptr<Requester> Dispatcher::requester_at(std::string_view node, std::uint64_t incarnation,
                                                    std::shared_ptr<Requester> forwarder) {
  if (node == node_) {
    const auto take = [this](const Envelope& answer) { take_answer(nullptr, node_, answer, now_ns()); };
    return std::make_shared<AnsweredHere>(node_, incarnation, take, std::move(forwarder));
  }
  auto peer = registry_.find_node(node);
  if (peer == nullptr || peer->incarnation() != incarnation || !peer->routable()) return nullptr;
  return std::make_shared<ForwardedFor>(std::static_pointer_cast<Peer>(std::move(peer)), std::move(forwarder));
}

// ------------------------------------------------------------------------------------------------------ for other
// nodes

// Serves what another node asks for: by a router of this one, and only what is public (C-R1).
void Dispatcher::serve_for(std::shared_ptr<Requester> requester, std::uint64_t attempt, const Envelope& request) {
  const Message borrowed = Message::borrow(message_view(request));  // first: it may be malformed
  if (!requester->call_begins(peer_calls_)) return refuse_as_too_many(*requester, request);
  Counted counted(*requester);
  Endpoint* endpoint = enter(request.service, CallerIs::outside);
  if (endpoint == nullptr) {
    return answer_bare(*requester, attempt, Response::service_unavailable(request.service), true);
  }
  Entered entered(*endpoint);
  const bool runs_inline = endpoint->is_inline();
  Start start;
  start.at_ticks = ticks();
  start.now = now_ns();
  const std::uint64_t longest = std::uint64_t{kMaxTimeoutMs} * 1000;
  const Nanos deadline = start.now + static_cast<Nanos>(std::min(request.remaining_us, longest)) * kMicrosecond;
  std::optional<Message> owned;  // for the queue
  if (!runs_inline) owned.emplace(borrowed);
  Call& call = CallSlab::instance().acquire();
  call.begin(*this, endpoint, request.authorize_only ? Purpose::authorize_only : Purpose::serve, borrowed, deadline,
             static_cast<std::uint32_t>((deadline - start.now) / kMillisecond), runs_inline);
  call.came_at(start.at_ticks);
  entered.taken_over();
  counted.taken_over();
  if (request.keeps_places && !runs_inline) call.held_by_callers({asked_by(*requester, attempt, request), false});
  call.answer_to(std::move(requester), attempt);
  if (request.is_forwarded) call.mark_forwarded();
  emit(EventKind::service_request_received, borrowed, endpoint);
  if (!runs_inline) {
    call.own_message(std::move(*owned));
    if (call.watch()) supervisor_.wake_at(deadline);
    return call.admit(start.now);
  }
  note_run(call, start.at_ticks, run_here(call, start));
  if (!call.answered_alone()) {  // somebody goes on with it
    call.own_copy(borrowed);
    if (call.watch()) supervisor_.wake_at(deadline);
  }
  call.settle();
}

void Dispatcher::answer(Call& call) noexcept {
  try {
    if (call.forwards()) return forward(call);
    if (!call.was_counted_late()) count_end(call, call.response());
    log_end(call, call.endpoint()->service(), ids_of(call), call.response());
    Requester& requester = *call.requester();
    if (!requester.gone()) {
      answer_or_say_why(requester, call.requester_attempt(), write_answer(call), Pool::has_next());
    }
  } catch (const std::bad_alloc&) {
    // Nothing to answer with: the caller's budget ends it.
  }
  call.release();
}

// Sends a call on to the node that its router has chosen, which answers the caller's node itself (C-R6).
void Dispatcher::forward(Call& call) {
  Requester& requester = *call.requester();
  const auto node = registry_.find_node(call.only_node());
  const auto refuse = [&](const Response& response) {
    answer_bare(requester, call.requester_attempt(), response, false);
  };
  const std::string chosen = "node \"" + std::string(call.only_node()) + "\", which choose_node has named";
  if (node == nullptr || !node->routable()) {
    refuse(Response::bad_rpc(badrpc::kNodedown, chosen + ", is not connected"));
  } else {
    const Nanos remaining = std::max<Nanos>(call.deadline() - now_ns(), kMicrosecond);
    // The word goes first: most often it is there before the answer.
    requester.answer(write_forwarded(call.requester_attempt(), node->name(), node->incarnation()), false);
    Peer& there = static_cast<Peer&>(*node);
    const Sent sent = there.post(write_forwarded_request(call, remaining), true);
    if (sent == Sent::kYes) there.ended();  // as far as this node is concerned: another one waits for the answer
    if (sent == Sent::kDown) refuse(Response::bad_rpc(badrpc::kNodedown, chosen + ", is not connected"));
    if (sent == Sent::kFull) refuse(Response::error(code::kOverloaded, "too much waits to be sent to " + chosen));
    if (sent == Sent::kTooLarge) {
      refuse(Response::error(code::kMalformed, "the request is larger than what is accepted by " + chosen));
    }
  }
  call.release();
}

// --------------------------------------------------------------------------------------------------------- for clients

std::string Dispatcher::dry_run_warning(const Message& outcome) const {
  const Call* const call = Call::ending();
  if (outcome.dry_run() == DryRun::no || call == nullptr) return {};  // null: nobody was asked
  if (outcome.response().kind() == Response::Kind::service_unavailable) return {};
  const std::string_view node = call->last_node();
  const auto says_so = [node](const registry::ServiceEntry* entry) {
    return entry != nullptr && std::any_of(entry->remote.begin(), entry->remote.end(), [node](const auto& provider) {
             return provider.node->name() == node && provider.service->dry_run_safe;
           });
  };
  const bool safe = node.empty() ? call->endpoint() != nullptr && call->endpoint()->dry_run_safe()
                                 : registry_.lookup(outcome.service_name(), says_so);
  if (safe) return {};
  return "service \"" + std::string(outcome.service_name()) +
         "\" does not declare itself dry-run safe: it may have done what a real call does";
}

// A client's call is a call of this node: anybody may serve it.
void Dispatcher::dispatch_for_client(const std::shared_ptr<Requester>& client, const Envelope& request) {
  const std::uint64_t attempt = request.attempt;
  Message message(Message::borrow(message_view(request)));  // first: it may be malformed
  message = Message(message);                               // a copy owns
  message.with_origin_node(node_);
  if (!client->call_begins(peer_calls_)) return refuse_as_too_many(*client, request);
  if (!client_calls_.begin(*client, attempt)) {
    client->call_ended();
    return answer_bare(*client, attempt, Response::error(code::kMalformed, "this attempt's number is in use"), true);
  }
  const auto callback = [this, client, attempt](Message&& outcome) {
    const std::string warning = dry_run_warning(outcome);
    answer_or_say_why(*client, attempt, write_client_answer(attempt, outcome, answering_node(), warning), false);
    client_calls_.end(*client, attempt);  // afterwards: who waits for the last of them wants it to be answered
  };
  DispatchOptions options;
  options.node = request.only_node;
  options.caller = CallerIs::outside;
  options.prefer = {strategy_of(request.strategy), request.sticky_key};
  options.client = client;
  if (request.remaining_us != 0) {
    const std::uint64_t ms = std::min<std::uint64_t>((request.remaining_us + 999) / 1000, kMaxTimeoutMs);
    options.timeout_ms = static_cast<std::uint32_t>(ms);
  }
  const Purpose purpose = request.authorize_only ? Purpose::authorize_only : Purpose::serve;
  client_calls_.hold(*client, attempt,
                     PendingCall(launch(purpose, nullptr, std::move(message), callback, options, true)));
}

}  // namespace busbar::host
