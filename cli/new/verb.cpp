#include "new/verb.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "new/project.hpp"
#include "response_json.hpp"
#include "schema_text.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

std::string text_for_people(const std::string& directory, const std::vector<ProjectFile>& files,
                            const std::string& plugin, const Palette& palette) {
  std::string out = palette(Colour::green, "made") + " " + printable(directory) + ":";
  for (const ProjectFile& file : files) out += " " + file.path;
  out += "\n\nnext:\n";
  out += "  cd " + shell_word(directory) + "\n";
  out += "  cmake -S . -B build\n";
  out += "  cmake --build build -j\n";
  out += "  ctest --test-dir build --output-on-failure\n";
  out += "  busbar check build/plugins/" + plugin + ".so\n";
  return out + "\nIts README.md goes on from there: how it is loaded, called, and replaced while it serves.\n";
}

}  // namespace

ExitStatus make_project(const Command& command, const Streams& streams) {
  const ProjectNames names = project_names(command.plugin);
  const std::vector<ProjectFile> files = project_files(names);
  const std::string directory = (std::filesystem::path(command.directory) / names.plugin).native();
  write_project(directory, files);
  if (!command.json) {
    streams.out << text_for_people(directory, files, names.plugin, Palette(streams.coloured_out));
    return ExitStatus::ok;
  }
  Json document = {{"directory", directory}, {"files", Json::array()}};
  for (const ProjectFile& file : files) document["files"].push_back(file.path);
  streams.out << document.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  return ExitStatus::ok;
}

}  // namespace busbar::cli
