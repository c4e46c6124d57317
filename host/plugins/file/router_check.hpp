#pragma once

#include <busbar/abi.h>

#include <boost/dll/shared_library.hpp>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

/// Why a plugin cannot be used; the text is for people and complete but for the plugin's name.
class PluginError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Maps the library at exactly this path, all its symbols bound now and none of them visible to others.
/// Its static initialisers run. `path` must be absolute and never used before in this process.
/// Errors: PluginError with the system loader's own text.
boost::dll::shared_library map_library(const std::filesystem::path& path);

/// The table that the library's entry function returns, checked against the descriptor that was read from its file.
/// Ownership: the plugin's, valid while `library` is mapped.
/// Errors: PluginError.
const busbar_plugin& find_plugin(const boost::dll::shared_library& library, const busbar_descriptor& from_file);

/// Calls the plugin's `create`.
/// Ownership: the plugin's object; end it with exactly one call of its `destroy`. `host` must live until then.
/// Errors: PluginError with what the plugin said.
const busbar_router& create_router(const busbar_plugin& plugin, const busbar_host& host);

/// A copy of the router's struct as this host knows it: what an older plugin's lacks is zero.
/// Errors: PluginError when it is smaller than the first version's, or lacks a function that it must have.
busbar_router read_router(const busbar_router& router);

/// What a router says of itself and its services, checked by `problems_of`.
/// Errors: PluginError naming the first few things that are wrong.
RouterFacts read_facts(const busbar_router& router);

}  // namespace busbar::host
