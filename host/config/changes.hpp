// What differs between two configurations, key by key.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/keys.hpp"

namespace busbar::host {

/// The keys that have different values, in the order of the table of keys.
std::vector<const Key*> different_keys(const Config& one, const Config& other);

/// The names of the plugins whose tables [plugin.NAME] differ, or that have one in one of them alone; sorted.
std::vector<std::string> different_tables(const Config& one, const Config& other);

/// Gives `to` the value that `from` has for that key, and says of it that it came from there, too.
void take_value(const Key& key, const Config& from, Config& to);
/// The second half of that.
void take_origin(const Key& key, const Config& from, Config& to);

}  // namespace busbar::host
