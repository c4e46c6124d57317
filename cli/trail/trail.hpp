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

/// Of which calls the hosts have kept something: `long_ones`, which took a sixteenth of their time or more, where
/// nobody had asked for it before.
enum class Kept { all, long_ones };

/// The hops as a table, the parts of each beside it, and which took longest.
std::string trail_text(const Json& document, Kept kept, const Palette& palette);

}  // namespace busbar::cli
