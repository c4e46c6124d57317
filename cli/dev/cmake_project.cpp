#include "dev/cmake_project.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;

namespace {

using Document = nlohmann::json;

// CMake's file API (cmake-file-api(7)): who has put a file of this name there is answered in `reply`.
constexpr const char* kQuery = ".cmake/api/v1/query/codemodel-v2";
constexpr const char* kReply = ".cmake/api/v1/reply";

Failure unread(const fs::path& file, const std::string& why) {
  return Failure(ExitStatus::error, failure_code::kLocal,
                 "could not read what CMake says of the project in " + in_quotes(file.native()) + ": " + why,
                 "remove the build tree, it is made anew; CMake 3.25 or later is expected");
}

Document read(const fs::path& file) {
  std::ifstream in(file);
  if (!in) throw unread(file, "it cannot be opened");
  try {
    return Document::parse(in);
  } catch (const Document::exception& error) {
    throw unread(file, error.what());
  }
}

bool has_program(const Variables& variables, const char* name) {
  const char* path = variables("PATH");
  for (std::string_view rest = path == nullptr ? "" : path; !rest.empty();) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    if (!directory.empty() && ::access((fs::path(directory) / name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

bool is_build_description(const fs::path& file) {
  const std::string name = file.filename().native();
  return name == "CMakeLists.txt" || name.ends_with(".cmake") || name == "CMakePresets.json";
}

CMakeProject::CMakeProject(const fs::path& directory) {
  const std::string what = "could not build and serve " + in_quotes(directory.native()) + ": ";
  constexpr const char* kHint = "name the directory of a plugin's project; \"busbar new\" writes one";
  std::error_code error;
  directory_ = fs::canonical(directory, error);
  if (error) throw Failure(ExitStatus::error, failure_code::kLocal, what + error_text(error.value()), kHint);
  if (!fs::is_regular_file(directory_ / "CMakeLists.txt", error)) {
    throw Failure(ExitStatus::error, failure_code::kLocal,
                  what + "expected a project of CMake, found no CMakeLists.txt there", kHint);
  }
  build_tree_ = directory_ / "build" / "dev";
}

fs::path CMakeProject::answers() const {
  fs::path newest;  // by its name, as the file API has it
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(build_tree_ / kReply, error)) {
    if (entry.path().filename().native().starts_with("index-")) newest = std::max(newest, entry.path());
  }
  return newest;
}

bool CMakeProject::is_configured() const {
  std::error_code unknown;
  return fs::exists(build_tree_ / "CMakeCache.txt", unknown) && !answers().empty();
}

std::vector<std::string> CMakeProject::configure_command(const Variables& variables) const {
  std::vector<std::string> command = {
      "cmake", "-S", directory_.native(), "-B", build_tree_.native(), "--log-level=NOTICE"};
  std::error_code unknown;
  if (fs::exists(build_tree_ / "CMakeCache.txt", unknown)) return command;
  if (variables("CMAKE_BUILD_TYPE") == nullptr) command.emplace_back("-DCMAKE_BUILD_TYPE=Debug");
  if (variables("CMAKE_GENERATOR") == nullptr && has_program(variables, "ninja")) command.emplace_back("-GNinja");
  return command;
}

void CMakeProject::ask_for_libraries() const {
  const fs::path query = build_tree_ / kQuery;
  std::error_code error;
  fs::create_directories(query.parent_path(), error);
  if (!error && std::ofstream(query)) return;
  throw Failure(ExitStatus::error, failure_code::kLocal,
                "could not write to the build tree " + in_quotes(build_tree_.native()) + ": " +
                    (error ? error_text(error.value()) : "no file can be made there"));
}

std::vector<std::string> CMakeProject::build_command(const std::vector<BuiltLibrary>& libraries) const {
  std::vector<std::string> command = {"cmake",
                                      "--build",
                                      build_tree_.native(),
                                      "--parallel",
                                      std::to_string(std::max(1u, std::thread::hardware_concurrency())),
                                      "--target"};
  for (const BuiltLibrary& library : libraries) command.push_back(library.target);
  return command;
}

std::vector<BuiltLibrary> CMakeProject::libraries() const {
  const fs::path index = answers();
  std::vector<BuiltLibrary> out;
  try {
    const Document model = read(build_tree_ / kReply / read(index).at("reply").at("codemodel-v2").at("jsonFile"));
    // The first configuration is the only one, unless several were asked for: then it is what is built by default.
    for (const Document& entry : model.at("configurations").at(0).at("targets")) {
      const Document target = read(build_tree_ / kReply / entry.at("jsonFile"));
      const std::string type = target.at("type");
      if (type != "MODULE_LIBRARY" && type != "SHARED_LIBRARY") continue;
      for (const Document& artifact : target.value("artifacts", Document::array())) {
        const fs::path file = build_tree_ / artifact.at("path").get<std::string>();
        if (file.extension() == ".so") out.push_back({target.at("name"), file});
      }
    }
  } catch (const Document::exception& error) {
    throw unread(index, error.what());
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.target < b.target; });
  return out;
}

}  // namespace busbar::cli
