#pragma once

#include <string>
#include <vector>

#include "plugins/pins/images.hpp"

namespace busbar::host {

/// What a function is called, for people: by the table of symbols in the file of whichever of these it lies in. Where
/// that says nothing, as in a file that was stripped, by its place.
std::string function_at(const std::vector<MappedImage>& images, const void* address);

}  // namespace busbar::host
