// A response as JSON (docs: interfaces, "A response in JSON"), and as an exit status.
#pragma once

#include <busbar/response.hpp>
#include <busbar/wire/admin.hpp>

#include <nlohmann/json.hpp>

#include "failure.hpp"

namespace busbar::cli {

using Json = nlohmann::ordered_json;  // members stay in the order in which they are documented

/// What is specific to the response: its kind, and the members that the kind has.
/// Errors: Failure where a value holds what JSON cannot say (NaN, an integer below -2^63).
Json response_json(const Response& response);

/// All of what came back (C-M9): the response, who gave it and how long it took, the ids, the assigns, the events.
/// Errors: as above.
Json reply_json(const wire::AdminReply& reply);

/// A payload as JSON, null where it is absent. Errors: as above.
Json payload_json(const Payload& payload);

ExitStatus exit_status_of(const Response& response);

/// `{"error": {"code", "text", …}}`: what takes a response's place where there is none.
Json failure_json(const Failure& failure);

}  // namespace busbar::cli
