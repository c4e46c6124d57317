#include "system/support/tested_build.hpp"

#include <fstream>
#include <stdexcept>

namespace busbar::system_tests::tested {

namespace fs = std::filesystem;

namespace {

const fs::path& build() {
  static const fs::path directory = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  return directory;
}

/// The value that CMake keeps of `name`.
std::string cached(const std::string& name) {
  const fs::path file = build() / "CMakeCache.txt";
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return line.substr(line.find('=') + 1);
  }
  throw std::runtime_error("no " + name + " in \"" + file.native() + "\": this program must lie in bin/ of a build");
}

}  // namespace

std::string busbar() { return build() / "bin" / "busbar"; }
std::string busbard() { return build() / "bin" / "busbard"; }
std::string client() { return build() / "bin" / "example_client"; }

fs::path plugin(std::string_view name) {
  const std::string file = std::string(name) + ".so";
  const fs::path example = build() / "plugins" / file;
  return fs::exists(example) ? example : build() / "tests" / "plugins" / name / file;
}

const std::string& sanitizers() {
  static const std::string all = cached("BUSBAR_SANITIZE");
  return all;
}

}  // namespace busbar::system_tests::tested
