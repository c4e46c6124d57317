#include "admin/query_server.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "dispatch/message_envelope.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace verb = wire::admin_verb;

namespace {

constexpr std::array kForCallers = {verb::kServices, verb::kDescribe, verb::kNodes,
                                    verb::kViews,    verb::kTrail,    verb::kDiscover};

void check_verb(const wire::AdminRequest& request) {
  if (std::find(kForCallers.begin(), kForCallers.end(), request.verb) != kForCallers.end()) return;
  throw BadRequest(code::kForbidden, request.seq,
                   "could not serve " + in_quotes(request.verb) +
                       ": it is answered only over the host's own run directory, found a query of another process "
                       "(hint: on the host's machine, busbar --run-dir DIR " +
                       request.verb + ")");
}

/// Who has asked, and what; to be answered once. Copies share who.
class Asker {
 public:
  Asker(std::shared_ptr<Requester> who, std::uint64_t attempt) : who_(std::move(who)), attempt_(attempt) {}

  Audience audience() const { return who_->role() == wire::Role::node ? Audience::nodes : Audience::clients; }

  /// Sends an answer, as the admin socket would; or, where it cannot be sent, why: that is short enough for everybody.
  void answer(std::uint64_t seq, const std::vector<std::uint8_t>& frame) const noexcept try {
    const wire::Bytes body = wire::Bytes(frame).subspan(wire::kFrameHead);  // without the length before it
    const Sent sent = send(body);
    if (sent == Sent::kTooLarge) {
      refuse(seq, wire::admin_code::kTooLarge,
             "could not send the answer: it has " + std::to_string(body.size()) +
                 " bytes, which is more than who asks accepts (hint: a client says what it accepts in its hello; a "
                 "node accepts limits.max_message)");
    } else if (sent == Sent::kFull) {
      refuse(seq, code::kOverloaded,
             "could not send the answer: too much waits to be sent to who asks (limits.peer_queue)");
    }
  } catch (const std::exception&) {
    // No memory: whoever asks has a timeout.
  }

 private:
  Sent send(wire::Bytes body) const { return who_->answer(write_document(attempt_, body), false); }
  void refuse(std::uint64_t seq, std::string_view error_code, const std::string& text) const {
    send(wire::Bytes(error_frame(seq, error_code, text)).subspan(wire::kFrameHead));
  }

  const std::shared_ptr<Requester> who_;
  const std::uint64_t attempt_;
};

}  // namespace

void QueryServer::serve(const std::shared_ptr<Requester>& from, std::uint64_t attempt, wire::Bytes body) noexcept try {
  const Asker asker(from, attempt);
  try {
    const wire::AdminRequest request = read_request(body);
    check_verb(request);
    const auto answer = [asker, seq = request.seq](const auto& frame) { asker.answer(seq, frame); };
    verbs_.serve(request, answer, asker.audience());
  } catch (const BadRequest& bad) {
    asker.answer(bad.seq(), error_frame(bad.seq(), bad.code(), bad.what()));
  }
} catch (const std::exception&) {
  // As above.
}

}  // namespace busbar::host
