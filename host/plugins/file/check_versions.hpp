#pragma once

#include <filesystem>
#include <iosfwd>

#include "plugins/file/inspect.hpp"

namespace busbar::host {

/// Whether two files are versions of one plugin: they have one name, or a service in common, so that no host takes
/// both.
bool are_versions(const PluginFile& older, const PluginFile& newer);

/// Prints what the newer version changes for callers. What it returns and `trial_program`: as check_files.
int check_versions(const PluginFile& older, const PluginFile& newer, bool json, std::ostream& out,
                   const std::filesystem::path& trial_program);

}  // namespace busbar::host
