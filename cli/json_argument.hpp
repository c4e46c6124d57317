// JSON that was given on the command line, in a file or on standard input, as CBOR.
#pragma once

#include <busbar/wire/admin.hpp>

#include <istream>
#include <string>
#include <vector>

namespace busbar::cli {

/// The payload that `JSON`, `@file` or `-` (standard input) stands for.
/// Errors: Failure with status usage, for JSON that does not parse with line and column.
wire::Item read_json_argument(const std::string& argument, std::istream& standard_input);

/// The map that a list of `KEY=JSON` stands for; of a key that comes twice the last counts.
/// Errors: as above.
wire::Item read_assigns(const std::vector<std::string>& arguments);

}  // namespace busbar::cli
