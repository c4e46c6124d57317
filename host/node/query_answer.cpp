#include "node/query_answer.hpp"

#include <busbar/wire/admin.hpp>

#include <exception>
#include <string>

#include "dispatch/message_envelope.hpp"
#include "log/text.hpp"
#include "node/nodes_document.hpp"

namespace busbar::host {

namespace {

wire::AdminAnswer refusal(std::uint64_t seq, std::string_view code, const std::string& text) {
  wire::AdminAnswer answer;
  answer.seq = seq;
  answer.error = wire::AdminError{std::string(code), text};
  return answer;
}

wire::AdminAnswer answer_of(const Node& node, const wire::AdminRequest& request) {
  if (request.protocol != wire::kAdminProtocol) {
    return refusal(request.seq, wire::admin_code::kProtocol,
                   "could not read the request: it is of version " + std::to_string(request.protocol) +
                       " of the admin protocol, this node speaks version " + std::to_string(wire::kAdminProtocol));
  }
  if (request.verb != wire::admin_verb::kNodes) {
    return refusal(request.seq, code::kForbidden,
                   "could not serve " + in_quotes(request.verb) + ": node " + in_quotes(node.name()) +
                       " is a program that is a member of the cluster, and no host: it answers \"nodes\" alone");
  }
  wire::AdminAnswer answer;
  answer.seq = request.seq;
  answer.document = cbor::from_json(nodes_document(node));
  return answer;
}

wire::AdminAnswer answer_of(const Node& node, wire::Bytes body) {
  try {
    return answer_of(node, cbor::decode<wire::AdminRequest>(body));
  } catch (const DecodeError& unfit) {
    return refusal(0, code::kMalformed, unfit.what());
  } catch (const MalformedPayload& malformed) {
    return refusal(0, code::kMalformed, malformed.what());
  }
}

}  // namespace

void answer_query(const Node& node, Requester& from, std::uint64_t attempt, wire::Bytes body) noexcept try {
  const Payload answer = Payload::of(answer_of(node, body));
  from.answer(write_document(attempt, answer.bytes()), false);
} catch (const std::exception&) {
  // No memory: whoever asks has a timeout.
}

}  // namespace busbar::host
