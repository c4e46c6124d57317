#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "plugins/file/file_stamp.hpp"

namespace busbar::host {

/// Why a file could not be copied.
class CopyError : public std::runtime_error {
 public:
  CopyError(const std::string& what, bool retry) : std::runtime_error(what), retry_(retry) {}
  /// Whether it is likely to succeed soon: the file was changing while it was read.
  bool retry() const { return retry_; }

 private:
  bool retry_;
};

/// A copy of a plugin's file that nobody else changes; the host maps only such copies.
/// The copy keeps its name for as long as this object lives, so that debuggers, profilers and a look at the process's
/// mappings find the code under a name that tells plugin and generation; it is removed when the object is destroyed.
/// What a process that was killed leaves behind, `empty_cache_directory` removes at the next start.
/// Threads: none of its own; one owner at a time.
class PrivateCopy {
 public:
  PrivateCopy() = default;
  PrivateCopy(PrivateCopy&& other) noexcept;
  PrivateCopy& operator=(PrivateCopy&& other) noexcept;
  ~PrivateCopy();

  const std::filesystem::path& path() const { return path_; }
  /// BLAKE2b-256 of the bytes that were copied, in hexadecimal.
  const std::string& digest() const { return digest_; }
  /// The original's stamp, equal before and after the copy was made.
  const FileStamp& original() const { return original_; }

 private:
  friend PrivateCopy make_private_copy(const std::filesystem::path&, const std::filesystem::path&, const std::string&,
                                       std::uint64_t);
  void remove() noexcept;

  std::filesystem::path path_;
  std::string digest_;
  FileStamp original_;
};

/// Copies `source` into the cache directory as `NAME-GENERATION-DIGEST16.so`, a name never used before in this process.
/// `name` is for people (the file's stem will do: the plugin's own name is known only once the copy has been read).
/// Errors: CopyError; with `retry()` when the file changed meanwhile.
PrivateCopy make_private_copy(const std::filesystem::path& source, const std::filesystem::path& cache_directory,
                              const std::string& name, std::uint64_t generation);

/// Makes the cache directory if need be, with mode 0700, and checks that it is ours alone and that code may be mapped
/// from it. `path` must be absolute.
/// Errors: CopyError saying what is wrong and what to do about it.
void prepare_cache_directory(const std::filesystem::path& path);

/// Removes what an earlier process left in the cache directory; only for who holds its lock. Returns how many files.
/// Takes only names that `make_private_copy` may have made, so that a wrong path costs nobody their files.
/// Errors: CopyError.
std::size_t empty_cache_directory(const std::filesystem::path& path);

/// BLAKE2b-256 of a file's content in hexadecimal, to tell whether it has changed.
/// Errors: CopyError.
std::string digest_of(const std::filesystem::path& file);

}  // namespace busbar::host
