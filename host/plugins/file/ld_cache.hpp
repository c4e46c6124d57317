#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::host {

/// The system loader's list of libraries, `/etc/ld.so.cache`, in the format of glibc since 2.2.
/// Threads: any, once made.
class LdCache {
 public:
  LdCache() = default;
  /// Reads the list from its bytes. What cannot be understood is passed over: then the list knows less.
  explicit LdCache(std::vector<std::uint8_t> bytes);
  /// The system's own; empty when it has none.
  static LdCache of_system();

  /// Where the list says that libraries of this soname are, of whatever architecture, best first.
  std::vector<std::filesystem::path> find(std::string_view soname) const;

 private:
  std::string_view text_at(std::size_t offset) const;

  std::vector<std::uint8_t> bytes_;
  std::size_t header_ = 0;  ///< where the format begins, from which texts are counted
  std::size_t count_ = 0;
};

}  // namespace busbar::host
