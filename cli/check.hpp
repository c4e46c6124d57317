// Verbs that the host's program answers, for it knows what it would take (docs/decisions/0007): `busbar check` of
// plugin files, `busbar config check` of a configuration.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace busbar::cli {

/// The configuration file of a host that is not told of another.
inline constexpr const char* kUsualConfig = "/etc/busbar/busbar.toml";

/// Where `busbard` is: in `beside`, else in the first directory of `path` (as in $PATH) that has it.
std::optional<std::filesystem::path> find_busbard(const std::filesystem::path& beside, const std::string& path);

/// The directory of this program, empty where the kernel does not tell.
std::filesystem::path own_directory();

/// The same with this process's own, and $PATH. Errors: Failure: `what` could not be done.
std::filesystem::path busbard_for(const std::string& what, const Variables& variables);
/// Becomes that program. Errors: Failure where that is not possible.
[[noreturn]] void become(std::vector<std::string> arguments);

/// Adds the configuration file that was named, else `usual`, if that is there.
void add_config(std::vector<std::string>& arguments, const Command& command, const std::filesystem::path& usual);

/// The arguments that `busbard` is given, its name first.
std::vector<std::string> check_arguments(const std::filesystem::path& busbard, const Command& command);

/// The same for `busbar config check`. `usual`: the file that is read where none is named, if there is one.
std::vector<std::string> config_check_arguments(const std::filesystem::path& busbard, const Command& command,
                                                const std::filesystem::path& usual = kUsualConfig);

/// Becomes `busbard`, whose output and exit status are the answer. Errors: Failure where that is not possible.
[[noreturn]] void become_check(const Command& command, const Variables& variables);
[[noreturn]] void become_config_check(const Command& command, const Variables& variables);

}  // namespace busbar::cli
