// `busbar config check`: whether a host could be started with a configuration, without starting one.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "config/config.hpp"

namespace busbar::host {

/// Writes what is wrong, one fault a line, or that all is well; with `json` {"good", "file", "faults": [{"text","line",
/// "column"}…]}. Returns the exit status: 0, or 1 with any fault.
int check_config(const ConfigSource& source, bool json, std::ostream& out);

/// As they are shown: {"text"}, and with what is about a line of the file "line" and "column".
nlohmann::json to_json(const std::vector<ConfigFault>& faults);

}  // namespace busbar::host
