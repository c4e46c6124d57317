// A project that CMake builds, in a build tree for development.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace busbar::cli {

/// A library of a project, as CMake says of it.
struct BuiltLibrary {
  std::string target;
  std::filesystem::path file;  // which need not be there yet

  bool operator==(const BuiltLibrary&) const = default;
};

/// The commands of a build, and what comes from it.
class CMakeProject {
 public:
  /// Errors: Failure where there is no project.
  explicit CMakeProject(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const noexcept { return directory_; }
  const std::filesystem::path& build_tree() const noexcept { return build_tree_; }

  /// Whether the build tree has to be made, or made anew.
  bool is_configured() const;
  /// Makes the build tree, where all that is not said by the environment, or was said to it before, is for development:
  /// with what debuggers need, and without a compiler's optimisations in their way.
  std::vector<std::string> configure_command(const Variables& variables) const;
  /// Has CMake write down at its next run what `libraries` reads. Errors: Failure.
  void ask_for_libraries() const;
  /// Builds these and what they need; not the project's tests.
  std::vector<std::string> build_command(const std::vector<BuiltLibrary>& libraries) const;
  /// The libraries that programs load, in the order of their targets' names. Errors: Failure.
  std::vector<BuiltLibrary> libraries() const;

 private:
  std::filesystem::path answers() const;

  std::filesystem::path directory_;
  std::filesystem::path build_tree_;
};

/// Whether a build tree must be configured anew for it. Of the rest of what is configured from the build takes care.
bool is_build_description(const std::filesystem::path& file);

}  // namespace busbar::cli
