// What a plugin's name becomes in its project.
#pragma once

#include <string>

namespace busbar::cli {

struct ProjectNames {
  std::string plugin;   // as it was given; the library and the targets of CMake are called so too
  std::string service;  // what the names of its services begin with: my_plugin
  std::string type;     // what the names of its C++ types begin with: MyPlugin
};

/// A service's name has lower-case letters, digits and `_` alone, and begins with a letter. So capitals become small,
/// all else `_`, and `plugin_` leads a name that begins with a digit.
/// Errors: Failure with status usage for what cannot name a plugin, and for what CMake keeps for itself.
ProjectNames project_names(const std::string& plugin);

}  // namespace busbar::cli
