#include "dev/delivery.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;

namespace {

bool has_same_bytes(const fs::path& one, const fs::path& other) {
  std::ifstream a(one, std::ios::binary);
  std::ifstream b(other, std::ios::binary);
  std::array<char, 65'536> of_a;
  std::array<char, 65'536> of_b;
  while (a && b) {
    a.read(of_a.data(), of_a.size());
    b.read(of_b.data(), of_b.size());
    if (!std::equal(of_a.data(), of_a.data() + a.gcount(), of_b.data(), of_b.data() + b.gcount())) return false;
  }
  return a.eof() && b.eof();
}

Failure undelivered(const fs::path& library, const std::string& why) {
  return Failure(ExitStatus::error, failure_code::kLocal,
                 "could not bring " + in_quotes(library.native()) + " to the host: " + why);
}

// A host passes over names that begin with a dot.
void put(const fs::path& library, const fs::path& target) {
  const fs::path unfinished = target.parent_path() / ("." + target.filename().native() + ".part");
  std::error_code error;
  fs::copy_file(library, unfinished, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(unfinished, target, error);
  if (!error) return;
  std::error_code ignored;
  fs::remove(unfinished, ignored);
  throw undelivered(library, error_text(error.value()));
}

std::map<std::string, fs::path> by_name(const std::vector<fs::path>& libraries) {
  std::map<std::string, fs::path> out;
  for (const fs::path& library : libraries) {
    const auto [known, is_new] = out.emplace(library.filename().native(), library);
    if (!is_new)
      throw undelivered(library, "the project builds another of this name, " + in_quotes(known->second.native()));
  }
  return out;
}

}  // namespace

Delivery deliver(const std::vector<fs::path>& libraries, const fs::path& directory) {
  const auto wanted = by_name(libraries);
  Delivery out;
  for (const auto& [name, library] : wanted) {
    std::error_code unknown;
    if (fs::exists(directory / name, unknown) && has_same_bytes(library, directory / name)) continue;
    put(library, directory / name);
    out.brought.push_back(name);
  }
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().native();
    if (wanted.contains(name) || !fs::remove(entry.path(), error)) continue;
    out.taken_away.push_back(name);
  }
  return out;
}

}  // namespace busbar::cli
