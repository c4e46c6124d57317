#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plugins/file/elf_file.hpp"

namespace busbar::host {

/// A library that could not be found, or not be read.
struct MissingLibrary {
  std::string soname;
  std::string needed_by;  ///< empty: the plugin itself
  std::string why;        ///< more than that it is not there, else empty
};

/// Finds what a library needs, and what that needs, where the system's loader would: the paths inside the libraries,
/// LD_LIBRARY_PATH, the loader's list, the system's folders. Each library found is shown to `visit` once, by the soname
/// that it was asked for; it is closed when `visit` returns.
/// `$ORIGIN` of `root` itself leads nowhere: the host loads a private copy, beside which there is nothing.
/// Returns what is missing.
std::vector<MissingLibrary> visit_dependencies(
    const ElfFile& root, const std::function<void(const std::string& soname, const ElfFile& library)>& visit);

/// The file that a library of this soname is mapped from in this process already, if that is another than `found`: the
/// system's loader takes that one, whoever needs it.
std::optional<std::filesystem::path> mapped_instead(const std::string& soname, const std::filesystem::path& found);

}  // namespace busbar::host
