// What of several keys must hold together, whatever each of them says by itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace busbar::host {

/// What a host that runs with these values would do and must not. By the values alone: it holds for those of a file as
/// for those that are in effect after a reload, which may be of several files.
std::vector<ConfigFault> faults_between_keys(const Config& config);

/// Where a value came from, in words.
std::string origin_of(const Config& config, std::string_view section, std::string_view name);

}  // namespace busbar::host
