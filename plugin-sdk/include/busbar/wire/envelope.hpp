// The envelopes of the call plane: what nodes and clients say to each other over DEALER and ROUTER (docs/protocol.md).
//
// A ZeroMQ message has one frame; a frame holds one or more envelopes, one behind the other (a CBOR sequence, RFC
// 8742). An envelope is a CBOR map with small integers as keys. Payloads are byte strings with one CBOR item in them,
// which nobody on the way looks into. Unknown keys are skipped. Of every major version, `type`, `major` and `attempt`
// come first and in that order, and they, `name` and `text` keep their keys and kinds: so that a refusal can always be
// read.
#pragma once

#include <busbar/cbor/reader.hpp>
#include <busbar/cbor/sink.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace busbar::wire {

/// Another major is refused in words at the handshake; a minor adds what older peers skip.
inline constexpr std::uint32_t kCallProtocolMajor = 1;
inline constexpr std::uint32_t kCallProtocolMinor = 3;
inline constexpr std::uint32_t kMinorWithStrategies = 1;  ///< since this one a client can say how a provider is picked
inline constexpr std::uint32_t kMinorWithClosing = 2;     ///< since this one nodes answer a closing

enum class EnvelopeType : std::uint8_t {
  none = 0,       ///< one of a later minor version: to be passed over
  hello = 1,      ///< DEALER, first of a connection: who I am
  welcome = 2,    ///< ROUTER, its answer: who I am
  refused = 3,    ///< ROUTER: why this connection, or this request, is not served
  request = 4,    ///< DEALER: a call
  answer = 5,     ///< ROUTER: how it ended
  forwarded = 6,  ///< ROUTER: another node will answer it (C-R6)
  cancel = 7,     ///< DEALER: nobody waits for its answer any more
  query = 8,      ///< DEALER: a question about the node itself, as the admin socket takes it
  document = 9,   ///< ROUTER: its answer
  closing = 10,   ///< DEALER of a node: I ask nothing more here; do the same, and say so when you wait for nothing more
};

enum class Role : std::uint8_t { client = 0, node = 1 };

using Bytes = std::span<const std::uint8_t>;

/// An envelope as it was read. Ownership: a view; texts and bytes point into the frame. What is absent is empty or 0.
/// One struct for all types, because a reader takes any; which fields count is said beside each.
struct Envelope {
  EnvelopeType type = EnvelopeType::none;
  std::uint32_t major = 0;
  /// Of the sender's own, never used twice by it; the answer repeats it (C-D6). request, answer, forwarded, cancel,
  /// query, document; refused: the request's, or 0 for the connection.
  std::uint64_t attempt = 0;

  // hello, welcome
  std::uint32_t minor = 0;
  std::string_view cluster;
  std::string_view node;          ///< also: answer (who answered, for clients), forwarded (who will answer)
  std::uint64_t incarnation = 0;  ///< also: forwarded
  Role role = Role::client;
  std::uint64_t max_message = 0;  ///< the largest frame that the sender of this accepts, in bytes

  // request
  std::string_view service;
  std::string_view message_id;
  std::string_view correlation_id;  ///< empty: the message's id
  std::string_view causation_id;    ///< empty: the correlation id
  std::string_view origin_node;
  std::int64_t invoked_at_us = 0;  ///< since 1970-01-01 UTC
  std::uint8_t dry_run = 0;        ///< as busbar_dry_run
  bool authorize_only = false;     ///< asks the router's `authorize` alone (C-D11)
  bool halted_invalid = false;     ///< the message's `valid` is false
  std::uint64_t remaining_us = 0;  ///< of the call's budget when this was sent (C-D8)
  std::string_view only_node;      ///< from a client: the node that must serve it; empty: any
  std::uint8_t strategy = 0;       ///< from a client: as busbar_strategy (C-D3)
  std::string_view sticky_key;     ///< from a client: with BUSBAR_STRATEGY_STICKY
  std::string_view traceparent;    ///< of a trace that was begun elsewhere (W3C); empty: it is made of the ids
  Bytes raw_request;
  Bytes request;
  Bytes logger_metadata;
  Bytes aggregate_meta;
  // a request that was forwarded (C-R6): neither authorized nor forwarded again
  bool is_forwarded = false;
  std::string_view answer_to;  ///< the node to answer, where it is not who sends this; answer: to pass it on to
  std::uint64_t answer_to_incarnation = 0;
  std::uint64_t answer_attempt = 0;  ///< that node's attempt
  bool keeps_places = false;         ///< from a node: who waits for this call keeps places at gates busy meanwhile

  // request and answer
  Bytes assigns;  ///< answer: absent where the handler left them as they were
  Bytes events;
  bool has_assigns = false;  ///< answer: `assigns` replaces the message's, also when it is empty; read: it was there

  // answer; also `text` (for people) and `name` (a code) of refused
  std::uint8_t kind = 0;  ///< busbar_response_kind
  std::string_view name;
  std::string_view text;
  std::string_view detail;
  std::uint32_t timeout_ms = 0;
  bool has_version = false;
  std::int64_t version = 0;
  Bytes value;
  bool unstarted = false;    ///< the handler was certainly not started: another provider may be asked (C-D18)
  std::string_view warning;  ///< to a client, for people (C-D10)

  // query: an AdminRequest; document: an AdminAnswer (wire/admin.hpp), without the length before it
  Bytes body;
};

/// Appends the envelope to `sink`; fields that are empty or 0 are left out. `major` is written as given.
/// Errors: std::bad_alloc, then `sink` holds what it held.
inline void write_envelope(cbor::ByteSink& sink, const Envelope& envelope);

/// Reads the next envelope of a frame, which must not be empty, and takes it off `frame`. A type that is not known
/// gives `none`. Of another major only `type`, `major`, `attempt` and what else could be read is meant. Texts are
/// checked to be UTF-8; what is in byte strings is not looked at. Errors: MalformedPayload for bytes that are no
/// envelope: then `frame` is as it was, and of no further use.
inline Envelope read_envelope(Bytes& frame);

}  // namespace busbar::wire

#include <busbar/wire/envelope_codec.hpp>  // IWYU pragma: export
