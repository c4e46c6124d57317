// A call where it is attempted at another node.
#include <sched.h>

#include <algorithm>

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

std::uint64_t Call::open_attempt(std::shared_ptr<Peer> peer) noexcept {
  peer_ = std::move(peer);
  answered_by_.store(peer_.get(), std::memory_order_relaxed);
  counted_.store(0, std::memory_order_relaxed);
  retain();
  const std::uint64_t attempt = (++attempts_made_ << kIndexBits) | index_;
  attempt_.store(attempt, std::memory_order_seq_cst);
  return attempt;
}

AttemptSent Call::attempt_at(std::shared_ptr<Peer> peer, bool idempotent, Seat* seat, Nanos now) {
  idempotent_ = idempotent;
  const std::uint64_t attempt = open_attempt(std::move(peer));
  // Either whoever ends the call sees this attempt and abandons it, or we see here that it has ended.
  if (seat == nullptr && (state_.load(std::memory_order_seq_cst) & kGone) != 0) {
    abandon_attempt();
    return AttemptSent::kOver;
  }
  const Bytes envelope = write_request(*this, attempt, std::max<Nanos>(deadline_ - now, kMicrosecond));
  const Sent sent = seat != nullptr ? peer_->send(envelope, *seat) : peer_->post(envelope, true);
  if (sent == Sent::kYes) {
    if (seat == nullptr && counted_.exchange(1, std::memory_order_acq_rel) == 2) peer_->ended();
    return AttemptSent::kUnderWay;
  }
  if (!claim_attempt(attempt)) {
    // The peer went down, and whoever ended the attempt is about to deliver that.
    if (seat == nullptr) return AttemptSent::kUnderWay;
    while (!waiter_.done()) sched_yield();
    lost_ = false;
  } else {
    end_attempt();
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

bool Call::claim_attempt(std::uint64_t attempt) noexcept {
  for (;;) {
    std::uint64_t seen = attempt;
    if (attempt_.compare_exchange_strong(seen, 0, std::memory_order_seq_cst)) return true;
    if (seen != kMoving) return false;
    sched_yield();
  }
}

std::uint64_t Call::abandon_attempt() noexcept {
  for (;;) {
    const std::uint64_t attempt = attempt_.load(std::memory_order_seq_cst);
    if (attempt == 0) return 0;
    if (attempt != kMoving && claim_attempt(attempt)) {
      end_attempt();
      return attempt;
    }
    sched_yield();
  }
}

// By who has claimed it: lets it go.
void Call::end_attempt() noexcept {
  if (counted_.exchange(2, std::memory_order_acq_rel) == 1) peer_->ended();
  release();
}

// ------------------------------------------------------------------------------------------------------ what came back

void Call::attempt_answered(const Peer* from, const wire::Envelope& answer) noexcept {
  try {
    take_answer(answer);
  } catch (const std::exception&) {
    response_ = Response::bad_rpc(badrpc::kExit, "this node had no memory for the answer");
  }
  deliver(from);
  end_attempt();
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
  take_response(response_, view, Payload::copy(answer.value));
  assigns_changed_ = answer.has_assigns;
  if (assigns_changed_) assigns_ = Payload::copy(answer.assigns);
  if (dry_run_ == DryRun::verbose) events_ = Payload::copy(answer.events);
}

void Call::move_attempt(std::uint64_t attempt, std::string_view node, std::shared_ptr<Peer> to) noexcept {
  std::uint64_t seen = attempt;
  if (!attempt_.compare_exchange_strong(seen, kMoving, std::memory_order_seq_cst)) return;  // it has ended
  // The connection that it was sent through has done its part; the answer comes through the ROUTER.
  if (counted_.exchange(2, std::memory_order_acq_rel) == 1) peer_->ended();
  idempotent_ = false;  // it was forwarded once, and is not sent anywhere again
  moved_to_ = std::move(to);
  answered_by_.store(moved_to_.get(), std::memory_order_relaxed);
  retain();  // once it can be answered again, only this keeps the slot ours
  attempt_.store(attempt, std::memory_order_seq_cst);
  // Should it have gone before we were seen to be there.
  if (moved_to_ == nullptr || !moved_to_->routable()) {
    if (claim_attempt(attempt)) attempt_lost("node " + std::string(node) + ", which was to answer, is gone", nullptr);
  }
  release();
}

void Call::peer_down(const Peer& peer, std::string_view reason) noexcept {
  for (;;) {
    const std::uint64_t attempt = attempt_.load(std::memory_order_seq_cst);
    if (attempt == 0) return;
    if (attempt == kMoving) {
      sched_yield();
      continue;
    }
    if (answered_by_.load(std::memory_order_acquire) != &peer) return;
    if (!claim_attempt(attempt)) continue;
    if (answered_by_.load(std::memory_order_acquire) == &peer) break;
    attempt_.store(attempt, std::memory_order_seq_cst);  // meanwhile it had moved to another
  }
  attempt_lost("node " + peer.name() + " is gone: " + std::string(reason), &peer);
}

// By who has claimed it.
void Call::attempt_lost(const std::string& why, const Peer* from) noexcept {
  lost_ = true;
  unstarted_ = false;
  response_ = Response::bad_rpc(badrpc::kNodedown, why);
  deliver(from);
  end_attempt();
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
    keeps_last_ = response_.is_error(code::kBadRpc) &&
                  (lost_ || purpose_ != Purpose::serve || !only_node_.empty() || tried_.size() == 1);
  }
  unstarted_ = lost_ = assigns_changed_ = false;
  outcome_taken_ = false;
  waiter_.reset();
  state_.fetch_and(~kDelivered, std::memory_order_acq_rel);
}

bool Call::has_tried(std::string_view node) const noexcept {
  return std::any_of(tried_.begin(), tried_.end(), [&](const NodeReason& row) { return row.node == node; });
}

void Call::no_provider_left() {
  const auto not_there = [](const NodeReason& row) { return row.reason == kNotThere; };
  if (keeps_last_ && !tried_.empty()) return;
  if (!only_node_.empty() && tried_.empty()) {
    response_ = Response::bad_rpc(badrpc::kNodedown,
                                  "no node " + std::string(only_node()) + " is known that calls can be sent to");
  } else if (std::all_of(tried_.begin(), tried_.end(), not_there)) {
    response_ = Response::service_unavailable(message_->service_name());
  } else {
    response_ = Response::no_nodes_available(tried_);
  }
}

}  // namespace busbar::host
