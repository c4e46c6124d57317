#include "rescan.hpp"

#include <map>
#include <set>

#include "rows.hpp"

namespace busbar::cli {

namespace {

/// What is said of a file; of none by default.
struct Plugin {
  std::string name_and_version;
  Json generation;
  bool serves = false;
  bool failed = false;
  bool newer_refused = false;
};

/// By file. Generations that were replaced or withdrawn, and only end, are left out.
std::map<std::string, Plugin> by_file(const Json& document) {
  std::map<std::string, Plugin> out;
  const auto rows = document.is_object() ? document.find("plugins") : document.end();
  if (rows == document.end() || !rows->is_array()) return out;
  for (const Json& row : *rows) {
    if (!row.is_object()) continue;
    const std::string state = text_of(row, "state");
    if (state != "serving" && state != "failed") continue;
    Plugin& plugin = out[text_of(row, "file")];
    plugin.name_and_version = printable(text_of(row, "name") + " " + text_of(row, "version"));
    plugin.generation = row.contains("generation") ? row["generation"] : Json();
    plugin.serves = state == "serving";
    plugin.failed = state == "failed";
    // The reason of one that is not healthy is its own.
    const bool healthy = !row.contains("healthy") || row["healthy"] == true;
    plugin.newer_refused = plugin.serves && healthy && !text_of(row, "reason").empty();
  }
  return out;
}

std::string line(const Palette& palette, Colour colour, const std::string& what, const std::string& of) {
  return palette(colour, what) + std::string(10 - what.size(), ' ') + of + "\n";
}

std::string change(const std::string& file, const Plugin& before, const Plugin& after, const Palette& palette) {
  if (after.failed) return line(palette, Colour::red, "refused", printable(file));
  if (!after.serves) {
    return before.serves ? line(palette, Colour::yellow, "unloaded", before.name_and_version) : std::string();
  }
  if (!before.serves) return line(palette, Colour::green, "loaded", after.name_and_version);
  if (before.generation != after.generation) {
    return line(palette, Colour::green, "replaced", before.name_and_version + " by " + after.name_and_version);
  }
  if (after.newer_refused)
    return line(palette, Colour::red, "kept", after.name_and_version + ", its newer file is refused");
  return {};
}

}  // namespace

std::string rescan_text(const Json& before, const Json& after, const Palette& palette) {
  auto old_plugins = by_file(before), new_plugins = by_file(after);
  std::set<std::string> files;
  for (const auto& [file, plugin] : old_plugins) files.insert(file);
  for (const auto& [file, plugin] : new_plugins) files.insert(file);
  std::string out;
  for (const std::string& file : files) out += change(file, old_plugins[file], new_plugins[file], palette);
  return out.empty() ? "nothing has changed\n" : out;
}

}  // namespace busbar::cli
