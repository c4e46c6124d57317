// Where the time of a call went, hop by hop: asked of the host, and shown.
#pragma once

#include <string>

#include "response_json.hpp"
#include "text.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// What the hosts know of the calls of a correlation (docs/protocol.md, section 8); where it cannot be had,
/// {"problem": …}, which is no failure: it goes with an answer that is there.
Json trail_of(const Ask& ask, const std::string& correlation_id);

/// The hops as a table, the parts of each beside it, and which took longest.
std::string trail_text(const Json& document, const Palette& palette);

}  // namespace busbar::cli
