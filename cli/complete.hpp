// What may come next on the command line, for shells that complete words.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace busbar::cli {

/// The values of an option (by "--NAME"), or of an argument (by its name), where there are only some.
using Choices = std::map<std::string, std::vector<std::string_view>>;

/// The words that may stand in the place of the last of `words` (which may be empty, or begun), each on a line; those
/// before it are what the command line has so far, without the program's name. They are read from what `app` takes, so
/// that they are always those that it takes. The line ":files" stands for the names of files.
std::string completions(const CLI::App& app, const Choices& choices, const std::vector<std::string>& words);

}  // namespace busbar::cli
