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

/// The arguments of a shell that call the service with `request`: `busbar OPTIONS call SERVICE 'JSON'`.
std::string call_line(const std::string& host_options, const std::string& service, const Json& request);

/// The text as one word of a shell.
std::string shell_word(const std::string& text);

}  // namespace busbar::cli
