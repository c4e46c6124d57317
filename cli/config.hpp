// `busbar config show` and `busbar config reload`.
#pragma once

#include "command_line.hpp"
#include "response_json.hpp"
#include "text.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// Errors: Failure.
ExitStatus run_config(const Command& command, const Ask& ask, const Streams& streams);

/// What `config show` answers, for people.
std::string config_text(const Json& document, const Palette& palette);
/// What `config reload` answers, for people; without what is wrong.
std::string reload_text(const Json& document, const Palette& palette);
/// The document with the values of plugins' own tables hidden, of which only the keys are left.
Json without_secrets(Json document);

}  // namespace busbar::cli
