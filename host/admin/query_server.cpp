#include "admin/query_server.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "log/text.hpp"

namespace busbar::host {

namespace verb = wire::admin_verb;

namespace {

constexpr std::array kForCallers = {verb::kServices, verb::kDescribe, verb::kNodes, verb::kDiscover, verb::kStatus};

void check_verb(const wire::AdminRequest& request) {
  if (std::find(kForCallers.begin(), kForCallers.end(), request.verb) != kForCallers.end()) return;
  throw BadRequest(code::kForbidden, request.seq,
                   "could not serve " + in_quotes(request.verb) +
                       ": it is answered only over the host's own run directory, found a query of another process "
                       "(hint: on the host's machine, busbar --run-dir DIR " +
                       request.verb + ")");
}

/// An answer as the admin socket sends it, without the length before it.
void send(Requester& to, std::uint64_t attempt, const std::vector<std::uint8_t>& frame) {
  wire::Envelope envelope;
  envelope.type = wire::EnvelopeType::document;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  envelope.body = wire::Bytes(frame).subspan(wire::kFrameHead);
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  to.answer(sink.take(), false);
}

}  // namespace

void QueryServer::serve(const std::shared_ptr<Requester>& from, std::uint64_t attempt, wire::Bytes body) noexcept try {
  const auto answer = [from, attempt](const std::vector<std::uint8_t>& frame) {
    try {
      send(*from, attempt, frame);
    } catch (const std::exception&) {
      // No memory: whoever asked has a timeout.
    }
  };
  try {
    const wire::AdminRequest request = read_request(body);
    check_verb(request);
    verbs_.serve(request, answer, from->role() == wire::Role::node ? Audience::nodes : Audience::clients);
  } catch (const BadRequest& bad) {
    answer(error_frame(bad.seq(), bad.code(), bad.what()));
  }
} catch (const std::exception&) {
  // As above.
}

}  // namespace busbar::host
