// A call where it is attempted at another node.
#include <sched.h>

#include <algorithm>
#include <utility>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/foreign_response.hpp"
#include "dispatch/message_envelope.hpp"

namespace busbar::host {

namespace {

using wire::Bytes;

// The reason of a provider that does not offer the service (any more), or not to us.
constexpr std::string_view kNotThere = "service_unavailable";

}  // namespace

// ------------------------------------------------------------------------------------------------ beginning and ending

// Its number, or 0: the call has ended. `request` becomes its envelope: once it is open, whoever ends the call may take
// the message away.
std::uint64_t Call::open_attempt(std::shared_ptr<Peer> peer, bool idempotent, bool posted, Nanos remaining,
                                 Bytes& request) {
  // Either whoever ends the call waits until this attempt is open, and abandons it; or we see here that it has ended,
  // and leave everything as it is: they may be reading it.
  attempt_.store(kMoving, std::memory_order_seq_cst);
  if ((state_.load(std::memory_order_seq_cst) & kGone) != 0) {
    attempt_.store(0, std::memory_order_seq_cst);
    return 0;
  }
  peer_.swap(peer);  // the one before is let go when nobody waits for us
  const std::shared_ptr<Peer> moved_before = std::exchange(moved_to_, nullptr);
  if (!answered_at_.empty()) answered_at_ = {};
  is_with(peer_.get());
  idempotent_ = idempotent;
  const std::uint64_t attempt = (++attempts_made_ << kIndexBits) | index_;
  try {
    request = write_request(*this, attempt, remaining);
  } catch (...) {
    attempt_.store(0, std::memory_order_seq_cst);
    throw;
  }
  retain();
  counted_.store(posted ? attempt : 0, std::memory_order_relaxed);
  attempt_.store(attempt, std::memory_order_seq_cst);
  return attempt;
}

AttemptSent Call::attempt_at(std::shared_ptr<Peer> peer, bool idempotent, Seat* seat, Nanos now) {
  // Once it is posted it can be answered, and the call be on its way to another peer.
  const std::shared_ptr<Peer> posted_to = seat == nullptr ? peer : nullptr;
  Bytes envelope;
  const std::uint64_t attempt = open_attempt(std::move(peer), idempotent, seat == nullptr,
                                             std::max<Nanos>(deadline_ - now, kMicrosecond), envelope);
  if (attempt == 0) return AttemptSent::kOver;
  const Sent sent = seat != nullptr ? peer_->send(envelope, *seat) : posted_to->post(envelope, true);
  if (sent == Sent::kYes) {
    if (seat == nullptr) count_posted(*posted_to, attempt);
    return AttemptSent::kUnderWay;
  }
  if (!claim_attempt(attempt)) {
    // Somebody has ended it meanwhile, and the call with it.
    if (seat == nullptr) return AttemptSent::kUnderWay;
    // The peer went down, and whoever ended the attempt is about to deliver that.
    while (!waiter_.done()) sched_yield();
    lost_ = false;
  } else {
    end_count();
    release();
  }
  unstarted_ = true;
  switch (sent) {
    case Sent::kFull:
      response_ = Response::error(code::kOverloaded, "too much waits to be sent to node " + peer_->name());
      break;
    case Sent::kTooLarge:
      unstarted_ = false;  // elsewhere it is no smaller
      response_ = Response::error(code::kMalformed, "the request's " + std::to_string(envelope.size()) +
                                                        " bytes are more than node " + peer_->name() + " accepts");
      break;
    default:
      response_ = Response::bad_rpc(badrpc::kNodedown, "there is no connection to node " + peer_->name());
      break;
  }
  return AttemptSent::kRefused;
}

bool Call::take_attempt(std::uint64_t attempt, std::uint64_t becomes) noexcept {
  if (!is_number(attempt)) return false;
  for (;;) {
    std::uint64_t seen = attempt;
    if (attempt_.compare_exchange_strong(seen, becomes, std::memory_order_seq_cst)) return true;
    if (seen != kMoving) return false;
    sched_yield();
  }
}

bool Call::claim_for_answer(std::uint64_t attempt, Nanos now, std::string_view answering_node) noexcept {
  // Who gives the call up meanwhile waits until this is over: so the deadline is this call's, and the name can be read.
  if (!take_attempt(attempt, kMoving)) return false;
  if (now >= deadline_) {
    dispatcher().given_up().add(attempt, message_->service_name(), ids_of(*this));
    attempt_.store(attempt, std::memory_order_seq_cst);
    return false;
  }
  try {
    if (!answering_node.empty()) answered_at_ = Text(answering_node);
  } catch (const std::bad_alloc&) {
    // The answer counts for more than whose it is.
  }
  attempt_.store(0, std::memory_order_seq_cst);
  return true;
}

std::uint64_t Call::abandon_attempt() noexcept {
  for (;;) {
    const std::uint64_t attempt = attempt_.load(std::memory_order_seq_cst);
    if (attempt == 0) return 0;
    if (take_attempt(attempt, kMoving)) {
      dispatcher().given_up().add(attempt, message_->service_name(), ids_of(*this));
      attempt_.store(0, std::memory_order_seq_cst);  // not before: whose answer comes now looks there
      end_count();
      release();
      return attempt;
    }
    sched_yield();
  }
}

// The peer has accepted it, and counts it as under way. Should it have ended already, whoever ended it has left the
// count to us; and where the peer has gone since, the end.
void Call::count_posted(Peer& peer, std::uint64_t attempt) noexcept {
  std::uint64_t seen = attempt;
  if (counted_.compare_exchange_strong(seen, attempt | kCounted, std::memory_order_acq_rel)) return;
  peer.ended();
  if (seen != (attempt | kPeerGone) || !claim_attempt(attempt)) return;
  attempt_lost("node " + peer.name() + " is gone: the connection was lost when the request was being sent", &peer);
}

// Whether the attempt is just being posted: whether the peer, which is gone, had accepted it is known when that is
// done. Then it ends, or goes to another provider if it was certainly not sent (C-D18).
bool Call::left_to_poster(std::uint64_t attempt) noexcept {
  std::uint64_t seen = attempt;
  return counted_.compare_exchange_strong(seen, attempt | kPeerGone, std::memory_order_acq_rel) ||
         seen == (attempt | kPeerGone);
}

// By who has claimed the attempt, and before the call can go on to the next.
void Call::end_count() noexcept {
  if ((counted_.exchange(0, std::memory_order_acq_rel) & kCounted) != 0) peer_->ended();
  is_with(nullptr);
}

// By who has opened the attempt, or claimed it: so one thread at a time. `peer_` and `moved_to_` keep who counts it.
void Call::is_with(Peer* peer) noexcept {
  if (Peer* const before = answered_by_.load(std::memory_order_relaxed)) before->pending_ends();
  answered_by_.store(peer, std::memory_order_relaxed);
  if (peer != nullptr) peer->pending_begins();
}

// ------------------------------------------------------------------------------------------------------ what came back

void Call::attempt_answered(const Peer* from, const wire::Envelope& answer) noexcept {
  try {
    take_answer(answer);
  } catch (const std::exception&) {
    response_ = Response::bad_rpc(badrpc::kExit, "this node had no memory for the answer");
  }
  end_count();
  deliver(from);
  release();
}

void Call::take_answer(const wire::Envelope& answer) {
  unstarted_ = answer.unstarted;
  if (answer.type == wire::EnvelopeType::document) {
    response_ = Response::ok_payload(Payload::copy(answer.body));
    return;
  }
  if (answer.type == wire::EnvelopeType::refused) {
    unstarted_ = true;
    response_ = Response::try_another_node(answer.text);
    return;
  }
  const busbar_response view = response_view(answer);
  if (view.kind == BUSBAR_RESPONSE_NONE || view.kind > BUSBAR_RESPONSE_ERROR) {
    response_ = Response::bad_rpc(badrpc::kBadReturn, "node " + peer_->name() + " answered with no response");
    return;
  }
  const bool takes_events = dry_run_ == DryRun::verbose && !answer.events.empty();
  if ((!answer.assigns.empty() && !is_item(answer.assigns, cbor::detail::kMap)) ||
      (takes_events && !is_item(answer.events, cbor::detail::kArray))) {
    response_ = Response::bad_rpc(badrpc::kBadReturn, "node " + peer_->name() +
                                                          " answered with assigns that are no map of CBOR, or with "
                                                          "events that are no array");
    return;
  }
  take_response(response_, view, Payload::copy(answer.value));
  assigns_changed_ = answer.has_assigns;
  if (assigns_changed_) assigns_ = Payload::copy(answer.assigns);
  if (takes_events) events_ = Payload::copy(answer.events);
}

void Call::move_attempt(std::uint64_t attempt, std::string_view node, std::shared_ptr<Peer> to) noexcept {
  std::uint64_t seen = attempt;
  if (!is_number(attempt) || !attempt_.compare_exchange_strong(seen, kMoving, std::memory_order_seq_cst)) return;
  // The connection that it was sent through has done its part; the answer comes through the ROUTER.
  end_count();
  idempotent_ = false;  // it was forwarded once, and is not sent anywhere again
  const std::shared_ptr<Peer> before = std::exchange(moved_to_, to);
  is_with(to.get());
  retain();  // once it can be answered again, only this keeps the slot ours
  attempt_.store(attempt, std::memory_order_seq_cst);
  // Should it have gone before we were seen to be there.
  if (to == nullptr || to->over()) {
    if (claim_attempt(attempt)) attempt_lost("node " + std::string(node) + ", which was to answer, is gone", nullptr);
  }
  release();
}

// Who ends the attempt, or gives it up, waits until this is over; and the call does not end before.
std::optional<SentCall> Call::sent_as(const std::string& from, const std::string& message_id) {
  const std::uint64_t attempt = attempt_.load(std::memory_order_seq_cst);
  if (!take_attempt(attempt, kMoving)) return std::nullopt;
  std::optional<SentCall> sent;
  try {
    const Peer* const there = answered_by_.load(std::memory_order_acquire);
    if (there != nullptr) sent = {from, there->name(), attempt, message_id};
  } catch (...) {
    attempt_.store(attempt, std::memory_order_seq_cst);
    throw;
  }
  attempt_.store(attempt, std::memory_order_seq_cst);
  return sent;
}

void Call::peer_down(const Peer& peer, std::string_view reason) noexcept {
  for (;;) {
    std::uint64_t attempt = attempt_.load(std::memory_order_seq_cst);
    if (attempt == 0) return;
    if (attempt == kMoving) {
      sched_yield();
      continue;
    }
    if (answered_by_.load(std::memory_order_acquire) != &peer) return;
    // Not claimed yet: should it have moved to another meanwhile, its answer must find the number again.
    if (!attempt_.compare_exchange_strong(attempt, kMoving, std::memory_order_seq_cst)) continue;
    const bool lost = answered_by_.load(std::memory_order_acquire) == &peer && !left_to_poster(attempt);
    attempt_.store(lost ? 0 : attempt, std::memory_order_seq_cst);
    if (!lost) return;
    break;
  }
  attempt_lost("node " + peer.name() + " is gone: " + std::string(reason), &peer);
}

// By who has claimed it.
void Call::attempt_lost(const std::string& why, const Peer* from) noexcept {
  lost_ = true;
  unstarted_ = false;
  response_ = Response::bad_rpc(badrpc::kNodedown, why);
  end_count();
  deliver(from);
  release();
}

// ------------------------------------------------------------------------------------------------------------ going on

bool Call::asks_for_another() const noexcept {
  if (forwards_ || unstarted_) return true;
  if (response_.is_error(code::kOverloaded) || response_.is_error(code::kTryAnotherNode)) return true;
  if (lost_) return idempotent_ || purpose_ == Purpose::authorize_only;
  return purpose_ == Purpose::authorize_only && response_.is_error(code::kBadRpc);  // C-D11
}

std::string Call::refusal_reason() const {
  if (response_.is_error(code::kOverloaded)) return std::string(code::kOverloaded);
  if (response_.is_error(code::kTryAnotherNode)) return std::string(response_.reason());
  if (response_.kind() == Response::Kind::service_unavailable) return std::string(kNotThere);
  if (response_.is_error(code::kBadRpc)) return std::string(response_.bad_rpc_kind());
  return std::string(response_.error_code());
}

void Call::prepare_next() {
  if (forwards_) {
    forwards_ = false;
    is_forwarded_ = true;
  } else {
    tried_.push_back({peer_ ? peer_->name() : "local", refusal_reason()});
    if (!circle_ && is_circle(response_, unstarted_)) circle_ = std::make_unique<Response>(response_);
    keeps_last_ = response_.is_error(code::kBadRpc) &&
                  (lost_ || purpose_ != Purpose::serve || !only_node().empty() || tried_.size() == 1);
  }
  unstarted_ = lost_ = assigns_changed_ = false;
  events_.clear();
  outcome_taken_ = false;
  waiter_.reset();
  state_.fetch_and(~kDelivered, std::memory_order_acq_rel);
}

bool Call::has_tried(std::string_view node) const noexcept {
  return std::any_of(tried_.begin(), tried_.end(), [&](const NodeReason& row) { return row.node == node; });
}

void Call::no_provider_left() {
  const auto not_there = [](const NodeReason& row) { return row.reason == kNotThere; };
  if (circle_) {  // who is in it is worth more than where else it could not be
    response_ = std::move(*circle_);
    return;
  }
  if (keeps_last_ && !tried_.empty()) return;
  if (!only_node().empty() && tried_.empty()) {
    response_ = Response::bad_rpc(badrpc::kNodedown,
                                  "no node " + std::string(only_node()) + " is known that calls can be sent to");
  } else if (std::all_of(tried_.begin(), tried_.end(), not_there)) {
    response_ = Response::service_unavailable(message_->service_name());
  } else {
    response_ = Response::no_nodes_available(tried_);
  }
}

}  // namespace busbar::host
