// `busbar new`: a plugin's project, written to a directory.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "new/names.hpp"

namespace busbar::cli {

struct ProjectFile {
  std::string path;  // inside the project
  std::string content;
};

/// `text` of the template with the names of a project in place of its own.
std::string with_names(std::string_view text, const ProjectNames& names);

/// The files of a project of these names.
std::vector<ProjectFile> project_files(const ProjectNames& names);

/// Writes the files to `directory`, which is made, or is there and empty. What is there already is never touched, and
/// nothing is left behind where it fails. Errors: Failure.
void write_project(const std::filesystem::path& directory, const std::vector<ProjectFile>& files);

}  // namespace busbar::cli
