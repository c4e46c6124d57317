// A directory with keys in it, for one test.
#pragma once

#include <busbar/keys/key_file.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace busbar::keys {

class KeyFolder {
 public:
  KeyFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "busbar-keys-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("there is no place for a directory");
    path_ = name;
  }
  ~KeyFolder() { std::filesystem::remove_all(path_); }
  KeyFolder(const KeyFolder&) = delete;
  KeyFolder& operator=(const KeyFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  WrittenPair make(const std::string& name, Role role = Role::node, const std::string& file = {}) const {
    return write_pair(path_ / (file.empty() ? name : file), {name, role});
  }
  /// Puts a public file there, in one step; with `as` as its name.
  void list(const std::filesystem::path& public_file, const std::string& as = {}) const {
    const auto name = as.empty() ? public_file.filename().string() : as;
    std::filesystem::copy_file(public_file, path_ / ("." + name));
    std::filesystem::rename(path_ / ("." + name), path_ / name);
  }

 private:
  std::filesystem::path path_;
};

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_text(const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; }
/// With one text in place of another.
inline std::string with(std::string text, const std::string& what, const std::string& other) {
  return text.replace(text.find(what), what.size(), other);
}

/// What a function says as it fails; empty: it does not.
template <class Function>
std::string fault_of(Function function) {
  try {
    function();
  } catch (const KeyError& error) {
    return error.what();
  }
  return {};
}

}  // namespace busbar::keys
