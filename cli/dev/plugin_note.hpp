// Which libraries are plugins.
#pragma once

#include <filesystem>

namespace busbar::cli {

/// Whether the file is a library with a Busbar note, as every plugin has it. Nothing of it is run, and what a host
/// would say of it is not asked: that is `busbar check`.
bool has_plugin_note(const std::filesystem::path& file);

}  // namespace busbar::cli
