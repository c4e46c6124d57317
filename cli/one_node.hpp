// Why the one node that a call was meant for (`--node`) did not serve it, in words.
#pragma once

#include <optional>
#include <string>

#include "command_line.hpp"
#include "text.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// What stands in place of `response_line` where the named node does not offer the service, or cannot be reached: with
/// what the host knows of that node, and of others that offer it, which it is asked for. Nothing where the response
/// says something else. A host that does not answer is no failure: then there is less to say.
std::optional<std::string> one_node_line(const Response& response, const Command& command, const Ask& ask,
                                         const Palette& palette);

}  // namespace busbar::cli
