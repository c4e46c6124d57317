// Calls as envelopes, and envelopes as what a router and a caller take.
#pragma once

#include <busbar/abi.h>
#include <busbar/message.hpp>
#include <busbar/wire/envelope.hpp>

#include <cstdint>
#include <string_view>

#include "pool/clock.hpp"

namespace busbar::host {

class Call;

// Each of these writes to a buffer of the thread's own, and returns what is valid until the thread's next one.
// Errors: std::bad_alloc.

/// A request, or a query: what the call asks of a node, with `remaining` of its budget left.
wire::Bytes write_request(const Call& call, std::uint64_t attempt, Nanos remaining);
/// The same for a call that this node only passes on: `answer_to` is who waits, and under which number (C-R6).
wire::Bytes write_forwarded_request(const Call& call, Nanos remaining);
/// The answer to the requester of a call that was served here.
wire::Bytes write_answer(const Call& call);
/// The answer to a client: what came back from a whole dispatch, and who answered.
wire::Bytes write_client_answer(std::uint64_t attempt, const Message& outcome, std::string_view node,
                                std::string_view warning);
/// An answer that is no more than a response.
wire::Bytes write_bare_answer(std::uint64_t attempt, const Response& response, bool unstarted);
/// An answer that cannot be sent to who waits for it, for the node that has forwarded the request; and the same as that
/// one passes it on (C-R6).
wire::Bytes write_unsendable_answer(const wire::Envelope& request, const Response& response, bool unstarted);
wire::Bytes write_passed_on(const wire::Envelope& unsendable);
/// Word to the requester that another node will answer.
wire::Bytes write_forwarded(std::uint64_t attempt, std::string_view node, std::uint64_t incarnation);
wire::Bytes write_cancel(std::uint64_t attempt);
wire::Bytes write_document(std::uint64_t attempt, wire::Bytes body);
/// Word that one request or query is not served: `name` is a code.
wire::Bytes write_refused(std::uint64_t attempt, std::string_view name, std::string_view text);

/// A request as a message in C. Ownership: points into the frame.
busbar_message message_view(const wire::Envelope& request) noexcept;
/// An answer as a response in C. Ownership: points into the frame.
busbar_response response_view(const wire::Envelope& answer) noexcept;

}  // namespace busbar::host
