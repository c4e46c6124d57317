// The run directory and the cache directory: each is used by one host at a time, and by nobody else.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace busbar::host {

/// A directory that cannot be used, with the reason in words.
class DirectoryError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the lock file says of a host that holds, or held, a directory.
struct DirectoryHolder {
  pid_t pid = 0;     /* 0: the file does not say */
  std::string node;  /* may be empty */
  std::string since; /* RFC 3339, UTC; may be empty */
};

/// A directory, looked at without taking it.
struct DirectoryLook {
  bool exists = false;
  std::string problem{}; /* why a host could not use it, or why that cannot be seen; empty: it could */
  std::optional<DirectoryHolder> holder{}; /* the live host that holds it */
};
/// `purpose` as in `DirectoryLock::acquire`; `user`: who runs that host. Changes nothing; errors are a `problem`.
DirectoryLook look_at_directory(const std::filesystem::path& directory, std::string_view purpose, uid_t user);

/// One host's hold on a directory, from `acquire` until it is released, destroyed or the process ends, however it ends.
/// The lock is the kernel's (`flock` on the file `lock` in the directory, close-on-exec), so that a killed holder
/// leaves no lock behind, only its name in the file. A helper process must be started by spawn and exec: one that
/// merely forks shares the lock and would hold it beyond this process. Threads: one at a time.
class DirectoryLock {
 public:
  /// Creates the directory if need be (0700, parents as well) and takes it for this process.
  /// `purpose` is how messages call it ("run directory"), `node` is who they will say holds it.
  /// Errors: DirectoryError if it is a symlink, is no directory, belongs to another user, can be written by others, or
  /// is held by a live host, which is then named; also when this process holds it already.
  static DirectoryLock acquire(const std::filesystem::path& directory, std::string_view purpose, std::string_view node);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

  const std::filesystem::path& path() const noexcept { return directory_; }

  /// Gives the directory back, so that the next host finds an orderly end. A second call does nothing.
  void release() noexcept;

  /// The host that held the directory before and ended without giving it back (it was killed, or the machine went
  /// down): its socket and its copies may still lie here. Nothing after an orderly end.
  const std::optional<DirectoryHolder>& taken_over_from() const noexcept { return taken_over_from_; }

 private:
  DirectoryLock(std::filesystem::path directory, int fd, std::optional<DirectoryHolder> before)
      : directory_(std::move(directory)), fd_(fd), taken_over_from_(std::move(before)) {}

  std::filesystem::path directory_;
  int fd_ = -1;
  std::optional<DirectoryHolder> taken_over_from_;
};

/// Where a host with this run directory answers its command line: `busbar.sock` in it.
/// Errors: DirectoryError if the path is longer than a Unix socket's address can hold.
std::filesystem::path admin_socket_path(const std::filesystem::path& run_dir);

}  // namespace busbar::host
