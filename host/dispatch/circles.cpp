#include "dispatch/circles.hpp"

#include <busbar/wire/admin.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <string>

#include "dispatch/circle_search.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/message_envelope.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

// What a node has under way at the same time.
constexpr std::size_t kMostSearches = 16;
// A question about a call has a few hundred bytes.
constexpr std::size_t kLargestQuestion = 4 * 1024;

bool is_about_waits(const wire::AdminRequest& request) { return request.verb == wire::admin_verb::kWaits; }

wire::AdminAnswer answer_to(const wire::AdminRequest& request, Dispatcher& dispatcher) {
  wire::AdminAnswer answer;
  answer.seq = request.seq;
  try {
    const auto call = cbor::decode<SentCall>(request.request.value_or(wire::Item{}));
    if (call.to != dispatcher.node()) {
      answer.error = wire::AdminError{std::string(code::kMalformed),
                                      "could not tell what a call waits for: it was sent to " + in_quotes(call.to) +
                                          ", and this is node " + in_quotes(dispatcher.node())};
      return answer;
    }
    answer.document = wire::item_of(Payload::of(dispatcher.waits().view_of(call)));
  } catch (const DecodeError& unfit) {
    answer.error = wire::AdminError{std::string(code::kMalformed), unfit.what()};
  }
  return answer;
}

}  // namespace

Nanos Circles::look(Nanos now) noexcept try {
  Waits& waits = dispatcher_.waits();
  if (now < waits.next_look()) [[likely]]
    return waits.next_look();
  const std::size_t under_way = searches_.load(std::memory_order_relaxed);
  if (under_way >= kMostSearches) return now + kMillisecond;
  for (const Waits::Due& due : waits.take_due(now, kMostSearches - under_way)) {
    std::make_shared<CircleSearch>(dispatcher_, due, searches_)->start();
  }
  return waits.next_look();
} catch (const std::bad_alloc&) {
  return now + kSecond;
}

bool Circles::answers(Requester& from, const wire::Envelope& query) noexcept try {
  if (from.role() != wire::Role::node || query.body.size() > kLargestQuestion) return false;
  const auto request = cbor::decode<wire::AdminRequest>(query.body);
  if (!is_about_waits(request)) return false;
  const Payload answer = Payload::of(answer_to(request, dispatcher_));
  from.answer(write_document(query.attempt, answer.bytes()), false);
  return true;
} catch (const std::exception&) {
  return false;  // whoever answers queries says what is wrong with it
}

}  // namespace busbar::host
