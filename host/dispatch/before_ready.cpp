// What clients ask before this node is ready.
#include <algorithm>
#include <new>

#include "dispatch/dispatcher.hpp"
#include "dispatch/message_envelope.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

using wire::Envelope;
using wire::EnvelopeType;

void refuse_call(Requester& to, std::uint64_t attempt, const Response& response) {
  to.answer(write_bare_answer(attempt, response, true), false);
}

void refuse_query(Requester& to, std::uint64_t attempt, std::string_view name, std::string_view text) {
  to.answer(write_refused(attempt, name, text), false);
}

// How long a query of a client waits for this node to be ready. Who asks is patient for 15 s, as the protocol says:
// that leaves the time in which other nodes are asked.
constexpr Nanos kQueryPatience = 9 * kSecond;

// Until this node is ready nobody knows the service's own.
std::uint32_t timeout_of(const Envelope& request) noexcept {
  if (request.remaining_us == 0) return kUsualTimeoutMs;
  const std::uint64_t longest = std::uint64_t{kMaxTimeoutMs} * 1000;
  return static_cast<std::uint32_t>((std::min(request.remaining_us, longest) + 999) / 1000);
}

}  // namespace

// Whether it waits, or has been told that too many do.
bool Dispatcher::holds(const std::shared_ptr<Requester>& from, const Envelope& envelope) {
  if (!anteroom_.closed() || from->role() != wire::Role::client) [[likely]]
    return false;
  const bool is_request = envelope.type == EnvelopeType::request;
  const Nanos budget = is_request ? timeout_of(envelope) * kMillisecond : kQueryPatience;
  const Anteroom::Taken taken = anteroom_.take(from, envelope, budget);
  if (taken == Anteroom::Taken::full) {
    constexpr std::string_view kText = "too many requests wait for this node to be ready (hint: try again later)";
    is_request ? refuse_call(*from, envelope.attempt, Response::error(code::kOverloaded, kText))
               : refuse_query(*from, envelope.attempt, code::kOverloaded, kText);
  }
  return taken != Anteroom::Taken::open;
}

void Dispatcher::go_on_with(const std::shared_ptr<Requester>& client, Envelope envelope, Nanos waited,
                            Anteroom::End end) noexcept {
  const bool is_request = envelope.type == EnvelopeType::request;
  if (end == Anteroom::End::ready || (end == Anteroom::End::stopping && is_request)) {
    if (is_request && envelope.remaining_us != 0) {
      const auto waited_us = static_cast<std::uint64_t>(waited / kMicrosecond);
      envelope.remaining_us = envelope.remaining_us > waited_us ? envelope.remaining_us - waited_us : 1;
    }
    on_request(client, envelope);
    // The end of the connection may have come before its call was known.
    if (client->gone()) client_calls_.cancel_all(*client);
    return;
  }
  try {
    if (is_request) {
      return refuse_call(*client, envelope.attempt,
                         Response::service_timeout(envelope.service, envelope.message_id, timeout_of(envelope)));
    }
    if (end == Anteroom::End::stopping) {
      return refuse_query(*client, envelope.attempt, "stopping", "node " + in_quotes(node_) + " is stopping");
    }
    refuse_query(*client, envelope.attempt, "not_ready",
                 "node " + in_quotes(node_) + " has not become ready in " + std::to_string(waited / kMillisecond) +
                     " ms: it looks at its plugins for the first time, or has not joined its cluster (hint: try again "
                     "later; on its machine, busbar status)");
  } catch (const std::bad_alloc&) {
    // Nothing to answer with: whoever asks keeps the time, too.
  }
}

}  // namespace busbar::host
