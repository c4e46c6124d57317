// Where the nodes' pictures of the cluster differ, for people.
#pragma once

#include <string>

#include "response_json.hpp"
#include "text.hpp"

namespace busbar::cli {

/// Whether all nodes see the same.
bool agree(const Json& document);

/// One line where they agree, else one for each difference.
std::string views_text(const Json& document, const Palette& palette);

}  // namespace busbar::cli
