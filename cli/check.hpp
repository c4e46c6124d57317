// `busbar check`: the host's program looks at plugin files, for it knows what it would take.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace busbar::cli {

/// Where `busbard` is: in `beside`, else in the first directory of `path` (as in $PATH) that has it.
std::optional<std::filesystem::path> find_busbard(const std::filesystem::path& beside, const std::string& path);

/// The directory of this program, empty where the kernel does not tell.
std::filesystem::path own_directory();

/// The arguments that `busbard` is given, its name first.
std::vector<std::string> check_arguments(const std::filesystem::path& busbard, const Command& command);

/// Becomes `busbard`, whose output and exit status are the answer. Errors: Failure where that is not possible.
[[noreturn]] void become_check(const Command& command, const Variables& variables);

}  // namespace busbar::cli
