#pragma once

#include <busbar/abi.h>

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

/// Everything that can be known of a plugin file without running any of its code.
struct PluginFile {
  std::string file;

  std::vector<std::string> problems;  ///< each alone is reason enough to refuse it
  std::vector<std::string> warnings;
  bool incomplete = false;  ///< a problem is such as a file has that is still being written: worth a second look

  std::optional<busbar_descriptor> descriptor;  ///< as it stands in the file; absent when it could not be read
  std::string name;                             ///< from the descriptor, empty unless it is valid
  std::string version;
  std::string compiler;

  std::optional<RouterFacts> router;  ///< from the manifest, absent when the file has none
  std::vector<std::string> needed;    ///< sonames that it asks for itself
  bool unloadable = false;            ///< nothing in the file forbids unmapping it
  bool static_tls = false;            ///< takes of the small store of static thread-local memory, while it stays mapped

  bool ok() const { return problems.empty(); }
  /// All problems in one line, for a log or a listing.
  std::string reason() const;
};

struct InspectOptions {
  std::uint32_t build_flags = BUSBAR_BUILD_FLAGS;  ///< sanitizers that the host itself was built with
};

/// Judges a plugin file as the loader does, short of running it.
/// Safe for any content: every offset is checked, memory is bounded, and the file may change underneath.
/// Threads: any.
/// Errors: never throws for what it finds; that is in `problems`.
PluginFile inspect(const std::filesystem::path& path, const InspectOptions& options = {});

/// One element of `files` in the output of `busbar check --json`.
nlohmann::json to_json(const PluginFile& file);

/// The same for people, several lines.
std::string to_text(const PluginFile& file);

/// Inspects files and prints what was found, including what they claim twice between them. Two files that one host
/// could not take together, as they have one name or a service in common, are an older and a newer version of a plugin:
/// then what has changed is printed as well. Of a version whose file does not list its services the trial does, which
/// is a child `trial_program`. Returns the exit status: 0; 1 if any would be refused, or if the newer version breaks
/// callers; 2 if the versions cannot be compared.
int check_files(std::span<const std::string> files, bool json, std::ostream& out,
                const std::filesystem::path& trial_program);

}  // namespace busbar::host
