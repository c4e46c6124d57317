#include "new/names.hpp"

#include <busbar/names.hpp>

#include <algorithm>
#include <array>
#include <string_view>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

// No target may be called so (CMake's policy CMP0037), and the plugin is one.
constexpr std::array<std::string_view, 12> kTargetsOfCMake = {"all",           "ALL_BUILD", "clean",   "edit_cache",
                                                              "help",          "install",   "INSTALL", "preinstall",
                                                              "rebuild_cache", "RUN_TESTS", "test",    "ZERO_CHECK"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool separates(char c) { return c == '.' || c == '_' || c == '-'; }

std::string service_prefix(std::string_view plugin) {
  std::string name = is_digit(plugin.front()) ? "plugin_" : "";
  for (const char c : plugin) name += separates(c) ? '_' : lower(c);
  return name;
}

std::string type_prefix(std::string_view plugin) {
  std::string name = is_digit(plugin.front()) ? "Plugin" : "";
  bool begins = true;
  for (const char c : plugin) {
    if (!separates(c)) name += begins ? upper(c) : c;
    begins = separates(c);
  }
  return name;
}

}  // namespace

ProjectNames project_names(const std::string& plugin) {
  if (!is_plugin_name(plugin)) {
    throw usage_failure("could not make a project: the plugin's name: expected " + std::string(kPluginNameRule) +
                        ", found " + in_quotes(plugin));
  }
  if (std::find(kTargetsOfCMake.begin(), kTargetsOfCMake.end(), plugin) != kTargetsOfCMake.end()) {
    throw usage_failure(
        "could not make a project: " + in_quotes(plugin) + " is a name that CMake keeps for itself, expected another",
        "say what the plugin does: " + plugin + "-something");
  }
  return {plugin, service_prefix(plugin), type_prefix(plugin)};
}

}  // namespace busbar::cli
