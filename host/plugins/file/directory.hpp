#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/file/file_stamp.hpp"

namespace busbar::host {

/// A name in the plugin directory that claims to be a plugin: it ends in `.so` and does not begin with a dot.
struct PluginCandidate {
  std::string file_name;
  std::filesystem::path path;  ///< directory and name; symlinks are not resolved, so that messages name what people see
  FileStamp stamp;             ///< of the file itself, behind any symlink; zero when there is none
  std::string unusable;        ///< why it cannot even be read, in words; empty: a regular file that can

  bool usable() const { return unusable.empty(); }
};

struct DirectoryRules {
  bool allow_writable_by_everybody = false;
};

/// What a look at the plugin directory found.
struct DirectoryListing {
  std::vector<PluginCandidate> candidates;  ///< in byte order of their names
  std::string problem;                      ///< why nothing may be loaded from here, in words; empty: all is well
  std::vector<std::string> warnings;

  bool ok() const { return problem.empty(); }
  /// Null: there is none of that name.
  const PluginCandidate* find(const std::string& file_name) const;
};

/// Whether a file of that name claims to be a plugin.
bool is_plugin_file_name(std::string_view name);

/// Lists a plugin directory by the rules of the interfaces document, and judges the directory itself.
/// Errors: never throws for what it finds; a directory that is missing, unreadable, no directory, or writable by
/// everybody is a `problem`, and then there are no candidates.
DirectoryListing list_plugin_directory(const std::filesystem::path& directory, const DirectoryRules& rules = {});

}  // namespace busbar::host
