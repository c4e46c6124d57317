// `busbar doctor`: what the host says is gathered here, and judged by the host's program (docs/decisions/0007).
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "response_json.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// What a host answers to all that concerns its health, by verb: `status`, `config`, and once its first scan is over
/// and it has joined `plugins` and `views`. Errors: none; what it does not answer is left out, and the first failure is
/// "problem".
Json ask_for_health(const Ask& ask);

/// The arguments that `busbard` is given, its name first. `usual` as for `config_check_arguments`.
std::vector<std::string> doctor_arguments(const std::filesystem::path& busbard, const Command& command,
                                          const std::filesystem::path& usual);

/// Becomes `busbard`, whose output and exit status are the answer. Errors: Failure where that is not possible.
[[noreturn]] void become_doctor(const Command& command, const Variables& variables);

}  // namespace busbar::cli
