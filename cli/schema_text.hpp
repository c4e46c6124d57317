// What requests and answers of a service look like, for people: a row for each field.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "response_json.hpp"
#include "text.hpp"

namespace busbar::cli {

/// A table of the fields that a JSON Schema names, inner ones with their path; what else it asks for in one line. With
/// `is_request` it also says which of them must be given.
std::string schema_text(const Json& schema, bool is_request, const Palette& palette);

/// The line for a shell that calls the service with `request` and a map of assigns, or null for none:
/// `busbar OPTIONS call SERVICE 'JSON' --assign 'KEY=JSON'`.
std::string call_line(const std::string& host_options, const std::string& service, const Json& request,
                      const Json& assigns);

/// The text as one word of a shell.
std::string shell_word(const std::string& text);

}  // namespace busbar::cli
