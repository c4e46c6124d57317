// What would be hurt if a plugin's library were unmapped: whoever would still call its code.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace busbar::host {

/// Who has, in words; empty: nobody that could be found. Counts what belongs to libraries that would go with it, too.
/// Threads: any. Whoever is found may be gone at the next look.
std::vector<std::string> pins_of(const std::filesystem::path& library);

}  // namespace busbar::host
