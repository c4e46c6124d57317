// A call on the call plane, from and to what the verbs know.
#pragma once

#include <busbar/wire/admin.hpp>
#include <busbar/wire/envelope.hpp>

#include <cstdint>
#include <string>

namespace busbar::cli {

/// A call, validation or question of authorization as an envelope. Ownership: points into `request`, whose id is set.
wire::Envelope call_envelope(const wire::AdminRequest& request, std::uint64_t attempt);

/// What came back of it, as the admin socket would have it.
wire::AdminAnswer call_answer(const wire::AdminRequest& request, const wire::Envelope& answer, const std::string& node,
                              std::uint64_t duration_us);

/// An answer that the host owes: the time was over, and then some.
wire::AdminAnswer late_answer(const wire::AdminRequest& request, const std::string& node, std::uint64_t duration_us);

}  // namespace busbar::cli
