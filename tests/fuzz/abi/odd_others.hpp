// Other nodes and clients, that do what an input says.
#pragma once

#include <busbar/registry/registry.hpp>
#include <busbar/wire/envelope.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "dispatch/peer.hpp"
#include "fuzz/abi/ledger.hpp"
#include "fuzz/abi/odd_plugin.hpp"
#include "fuzz/abi/odd_structs.hpp"
#include "fuzz/choices.hpp"

namespace busbar::fuzz {

inline std::vector<std::uint8_t> encode(const wire::Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return sink.take();
}

/// A node that calls can be sent to. The script of a request says whether it takes it, and how it answers.
class OddPeer final : public host::Peer, public std::enable_shared_from_this<OddPeer> {
 public:
  OddPeer(std::string name, Stage& stage, host::Dispatcher& dispatcher, registry::Registry& registry)
      : Peer(std::move(name), 1), stage_(stage), dispatcher_(dispatcher), registry_(registry) {
    set_routable(true);
  }

  host::Sent post(std::span<const std::uint8_t> envelope, bool is_request) noexcept override {
    const host::Sent sent = is_request ? take(envelope) : host::Sent::kYes;
    if (is_request && sent == host::Sent::kYes) under_way_.fetch_add(1);
    return sent;
  }
  void ended() noexcept override { under_way_.fetch_sub(1); }
  host::Sent send(std::span<const std::uint8_t> envelope, host::Seat&) noexcept override { return take(envelope); }
  void wait(host::Seat& seat, host::Nanos deadline) noexcept override { seat.waiter.wait_asleep(deadline); }
  void ring() noexcept override {}

  bool is_quiet() const noexcept { return under_way_.load() == 0 && pending() == 0; }

 private:
  host::Sent take(std::span<const std::uint8_t> envelope) noexcept {
    wire::Bytes rest = envelope;
    const wire::Envelope request = wire::read_envelope(rest);
    if (request.is_forwarded && !request.answer_to.empty()) return host::Sent::kYes;  // it answers somebody else
    Choices script(request.raw_request);
    switch (script.below(8)) {
      case 1:
        return host::Sent::kDown;
      case 2:
        return host::Sent::kFull;
      case 3:
        return host::Sent::kTooLarge;
      case 4:
        if (request.remaining_us <= 3000) return host::Sent::kYes;  // never answers
        break;
      case 5:
        stage_.elsewhere.later([self = shared_from_this()] { self->go_and_return(); });
        return host::Sent::kYes;
      default:
        break;
    }
    const Bytes how = script.all();
    stage_.elsewhere.later([self = shared_from_this(), attempt = request.attempt,
                            how = std::vector<std::uint8_t>(how.begin(), how.end())] {
      Choices answers(how);
      // More than one, where there is more to be said: only the first counts.
      do {
        self->answer(attempt, answers);
      } while (!answers.over());
    });
    return host::Sent::kYes;
  }

  void go_and_return() {
    set_routable(false);
    registry_.refresh();
    dispatcher_.on_down(*this, "it went");
    set_routable(true);
    registry_.refresh();
  }

  void answer(std::uint64_t attempt, Choices& script) {
    OddStructs odd;
    wire::Envelope envelope;
    envelope.type = script.flip() ? wire::EnvelopeType::refused : wire::EnvelopeType::answer;
    envelope.major = wire::kCallProtocolMajor;
    envelope.attempt = attempt;
    envelope.kind = static_cast<std::uint8_t>(script.flip() ? script.byte() : BUSBAR_RESPONSE_OK);
    envelope.unstarted = script.flip();
    envelope.name = view(odd.text(script));
    envelope.text = view(odd.text(script));
    envelope.detail = view(odd.text(script));
    envelope.value = of(odd.bytes(script));
    envelope.assigns = of(odd.bytes(script));
    envelope.events = of(odd.bytes(script));
    envelope.has_assigns = script.flip();
    const auto bytes = encode(envelope);
    wire::Bytes rest = bytes;
    try {
      dispatcher_.on_envelope(*this, wire::read_envelope(rest), host::now_ns());
    } catch (const MalformedPayload&) {
      // The transport would not have passed it on, and ended the connection. Here it is as if it came in order.
      envelope.name = envelope.text = envelope.detail = {};
      const auto in_order = encode(envelope);
      rest = in_order;
      dispatcher_.on_envelope(*this, wire::read_envelope(rest), host::now_ns());
    }
  }
  static wire::Bytes of(busbar_bytes bytes) noexcept { return {bytes.data, bytes.size}; }

  Stage& stage_;
  host::Dispatcher& dispatcher_;
  registry::Registry& registry_;
  std::atomic<int> under_way_{0};
};

/// Somebody who asks this node, and is owed an answer to each request.
class OddRequester final : public host::Requester {
 public:
  OddRequester(wire::Role role, std::string name, const Outsider& who)
      : role_(role), name_(std::move(name)), who_(who) {
    if (who.caller == BUSBAR_CALLER_UNKNOWN) return;
    owner_ = {std::string(who.name), role == wire::Role::node ? keys::Role::node : keys::Role::deployer};
  }

  host::Sent answer(std::span<const std::uint8_t> envelope, bool) noexcept override {
    wire::Bytes rest = envelope;
    const wire::Envelope answer = wire::read_envelope(rest);
    if (!answer.answer_to.empty()) return host::Sent::kYes;  // to pass on, to who waits for it
    const std::lock_guard lock(mutex_);
    const auto owed = owed_.find(answer.attempt);
    must(owed != owed_.end(), "somebody was answered who had not asked");
    if (answer.type == wire::EnvelopeType::forwarded) {
      must(!std::exchange(owed->second.is_forwarded, true), "a request was forwarded twice");
    } else {
      must(++owed->second.answers == 1, "a request was answered twice");
    }
    return host::Sent::kYes;
  }
  bool gone() const noexcept override { return false; }
  wire::Role role() const noexcept override { return role_; }
  const std::string& name() const noexcept override { return name_; }
  std::uint64_t incarnation() const noexcept override { return 1; }
  const keys::Identity* owner() const noexcept override { return owner_ ? &*owner_ : nullptr; }

  const Outsider& who() const noexcept { return who_; }
  /// Whether none of its calls counts as under way.
  bool is_quiet() const noexcept {
    if (!call_begins(1)) return false;
    call_ended();
    return true;
  }
  std::uint64_t next_attempt() {
    const std::lock_guard lock(mutex_);
    owed_[++attempts_] = {};
    return attempts_;
  }
  /// It waits no more: whether it has been answered does not matter.
  void gives_up(std::uint64_t attempt) {
    const std::lock_guard lock(mutex_);
    owed_[attempt].given_up = true;
  }
  bool has_all() const {
    const std::lock_guard lock(mutex_);
    for (const auto& [attempt, owed] : owed_) {
      if (owed.answers == 0 && !owed.is_forwarded && !owed.given_up) return false;
    }
    return true;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    owed_.clear();
  }

 private:
  struct Owed {
    int answers = 0;
    bool is_forwarded = false;
    bool given_up = false;
  };
  const wire::Role role_;
  const std::string name_;
  const Outsider& who_;
  std::optional<keys::Identity> owner_;  // nothing: it has no key
  mutable std::mutex mutex_;
  std::uint64_t attempts_ = 0;
  std::map<std::uint64_t, Owed> owed_;
};

}  // namespace busbar::fuzz
