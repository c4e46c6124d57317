#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace busbar::host {

/// What tells one state of a file from another without reading it.
/// Times alone would not do: copying tools set old ones, and a rebuild may end within one clock tick.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// The stamp in what `stat` told.
inline FileStamp stamp_of(const struct stat& facts) {
  return {static_cast<std::uint64_t>(facts.st_dev), static_cast<std::uint64_t>(facts.st_ino),
          static_cast<std::uint64_t>(facts.st_size),
          static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

}  // namespace busbar::host
