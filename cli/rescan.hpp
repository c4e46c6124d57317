// What a rescan has done, for people.
#pragma once

#include <string>

#include "response_json.hpp"
#include "text.hpp"

namespace busbar::cli {

/// A line for each file in the plugin directory that the rescan did something about: loaded, replaced, unloaded, kept
/// as its newer file could not be taken, or refused. `before` and `after` are the documents of `busbar plugins`.
std::string rescan_text(const Json& before, const Json& after, const Palette& palette);

}  // namespace busbar::cli
