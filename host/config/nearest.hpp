// What somebody probably meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::host {

/// How many letters must be changed, added or taken away to turn one word into the other; capitals do not count.
/// Only the first 64 bytes of a word are looked at.
std::size_t edit_distance(std::string_view one, std::string_view other);

/// The candidate with the smallest distance, the first of equals; there must be one.
const std::string& nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace busbar::host
