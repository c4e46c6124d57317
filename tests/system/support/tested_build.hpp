#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// What is tested: programs and plugins of the build that this program lies in. It only drives them, so that one that
/// was built without a sanitizer, and copied there, tests a build with one.
namespace busbar::system_tests::tested {

std::string busbar();   ///< The command line.
std::string busbard();  ///< The host.
std::string client();   ///< The example of a client.

/// A plugin's library: one of plugins/, else one of tests/plugins/.
std::filesystem::path plugin(std::string_view name);

/// The sanitizers of all that, as -fsanitize= has them; empty for none.
const std::string& sanitizers();

}  // namespace busbar::system_tests::tested
