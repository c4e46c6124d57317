// Somebody who asks a hub with envelopes made by hand: a client, or a node that does what none of ours would.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dispatch/foreign_response.hpp"
#include "dispatch/message_envelope.hpp"
#include "support/hub.hpp"
#include "support/lane.hpp"

namespace busbar::testing {

/// A request for the message; views into it.
inline wire::Envelope request_for(const Message& message, std::uint64_t attempt, std::uint64_t remaining_us) {
  wire::Envelope out;
  out.type = wire::EnvelopeType::request;
  out.major = wire::kCallProtocolMajor;
  out.attempt = attempt;
  out.service = message.service_name();
  out.message_id = message.id();
  out.dry_run = static_cast<std::uint8_t>(message.dry_run());
  out.remaining_us = remaining_us;
  out.raw_request = message.raw_request().bytes();
  out.assigns = message.assigns().bytes();
  return out;
}

class RawRequester final : public host::Requester {
 public:
  struct Received {
    std::uint64_t attempt = 0;
    wire::EnvelopeType type{};
    Response response;
    Payload assigns, events, body;
    std::string node, warning;
    bool unstarted = false;
  };

  RawRequester(wire::Role role, std::string name) : role_(role), name_(std::move(name)) {}

  host::Sent answer(std::span<const std::uint8_t> envelope, bool) noexcept override {
    if (gone_) return host::Sent::kDown;
    if (envelope.size() > largest) return host::Sent::kTooLarge;
    const wire::Envelope e = wire::read_envelope(envelope);
    Received row;
    row.attempt = e.attempt;
    row.type = e.type;
    host::take_response(row.response, host::response_view(e), Payload::copy(e.value));
    row.assigns = Payload::copy(e.assigns);
    row.events = Payload::copy(e.events);
    row.body = Payload::copy(e.body);
    row.node = e.node;
    row.warning = e.warning;
    row.unstarted = e.unstarted;
    const std::lock_guard lock(mutex_);
    received_.push_back(std::move(row));
    return host::Sent::kYes;
  }
  bool gone() const noexcept override { return gone_; }
  wire::Role role() const noexcept override { return role_; }
  const std::string& name() const noexcept override { return name_; }
  std::uint64_t incarnation() const noexcept override { return 1; }

  std::vector<Received> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  std::size_t answers(std::uint64_t attempt) const {
    const auto all = received();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const Received& row) { return row.attempt == attempt; }));
  }
  /// Waits for the first answer to the attempt.
  Received wait_for(std::uint64_t attempt) const {
    Received found;
    eventually([&] {
      for (auto& row : received()) {
        if (row.attempt != attempt) continue;
        found = row;
        return true;
      }
      return false;
    });
    return found;
  }

  std::atomic<std::size_t> largest{~std::size_t{0}};
  std::atomic<bool> gone_{false};

 private:
  const wire::Role role_;
  const std::string name_;
  mutable std::mutex mutex_;
  std::vector<Received> received_;
};

/// The envelope reaches the hub as bytes.
inline void ask(Hub& hub, const std::shared_ptr<RawRequester>& from, const wire::Envelope& envelope) {
  const auto bytes = encode(envelope);
  wire::Bytes rest = bytes;
  hub.dispatcher().on_request(from, wire::read_envelope(rest));
}

}  // namespace busbar::testing
