// A number for each start of a node that is higher than those of all its starts before, whatever the clock does (C-G9).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace busbar::registry {

/// The greater of `now`, in microseconds since 1970, and the last one stored in `directory` plus one; stored there
/// before it is returned, so that a crash cannot give it out twice. A file that cannot be read counts as none.
/// Errors: std::system_error where it cannot be stored, naming the file.
std::uint64_t next_incarnation(const std::filesystem::path& directory, std::chrono::system_clock::time_point now);

/// Stores a higher one that this node has taken, because it heard of one of its own name.
/// Errors: std::system_error.
void store_incarnation(const std::filesystem::path& directory, std::uint64_t incarnation);

/// The last one stored there, or nothing. Takes no lock and changes nothing.
std::optional<std::uint64_t> stored_incarnation(const std::filesystem::path& directory);

/// For a node without a place to store it: the time alone, plus some random low bits.
std::uint64_t unstored_incarnation(std::chrono::system_clock::time_point now);

}  // namespace busbar::registry
