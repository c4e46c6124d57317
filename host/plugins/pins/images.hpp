// The libraries that are mapped, and which of them would go with one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plugins/pins/address_range.hpp"

namespace busbar::host {

/// A mapped library, or the program, whose path is empty.
struct MappedImage {
  std::string path;
  std::string soname;               ///< or, where it has none, its file's name
  std::vector<std::string> needed;  ///< sonames
  std::uintptr_t base = 0;
  AddressRange range;
};

std::vector<MappedImage> mapped_images();

/// Where the library of that path is mapped, and behind it the libraries that nobody else needs: what an unload of it
/// unmaps. Empty where it is not mapped.
std::vector<MappedImage> images_that_go_with(const std::filesystem::path& library);

}  // namespace busbar::host
