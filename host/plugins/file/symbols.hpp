#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugins/file/elf_file.hpp"

namespace busbar::host {

/// What a plugin's file offers to others by name, by which it can be found and kept.
struct Exports {
  bool entry = false;               ///< the plugin's entry function, with code in the file
  bool entry_blank = false;         ///< it is named, but there are zeros where its code should be
  std::vector<std::string> unique;  ///< of the kind that the system's loader never lets go
  std::vector<std::string> others;  ///< more than the entry
};

Exports exports_of(const ElfFile& plugin);

/// The symbols and versions that a library expects of others, and which of them have been found.
/// Ownership: refers to `library`, which must outlive it.
class SymbolDemand {
 public:
  /// `sanitized`: the sanitizers' own functions come from the host, and are not looked for.
  SymbolDemand(const ElfFile& library, bool sanitized);

  /// Strikes out what this library defines.
  void offer(const std::string& soname, const ElfFile& provider);

  /// What nobody defined, as people can read it: `name (version, "demangled")`.
  std::vector<std::string> missing_symbols() const;
  /// Whether the library uses destructors of thread_local objects.
  bool has_thread_local_destructors() const { return thread_local_destructors_; }
  /// Versions of libraries that are there, but do not have them: `"V" of "libx.so.1"`.
  const std::vector<std::string>& missing_versions() const { return missing_versions_; }

 private:
  struct Wanted {
    std::string_view version;
    bool found = false;
  };

  static std::size_t shape(std::string_view name);

  std::unordered_map<std::string_view, Wanted> wanted_;
  /// The shapes of the wanted names: of the ten thousand of a C++ library few need to be hashed.
  std::bitset<4096> wanted_shapes_;
  std::vector<std::string_view> order_;  ///< as in the file, so that messages do not depend on hashes
  std::vector<VersionNeed> versions_;
  std::vector<std::string> missing_versions_;
  bool thread_local_destructors_ = false;
};

/// A symbol for people: its name, and what that means in C++ where it means something.
std::string symbol_text(std::string_view name);

}  // namespace busbar::host
