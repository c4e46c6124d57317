// The levels of the log, as the command line shows and sets them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "log/levels.hpp"

namespace busbar::host {

/// The word that takes a level back, in place of one.
inline constexpr std::string_view kDefaultLevel = "default";

/// {"level": …, "changed": …, "parts": [{"part", "level", "changed"}…]}: that of all, and of each part.
nlohmann::json log_levels_document(const LogLevels& levels);

/// Sets the level of a part, or takes it back; an empty part is all. Returns why it could not be done, in words; empty:
/// it was. The level is one of the names, or the default.
std::string set_log_level(LogLevels& levels, const std::string& part, const std::string& level);

}  // namespace busbar::host
