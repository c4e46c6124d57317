// The directories of a host that is there for a session alone.
#pragma once

#include <filesystem>

namespace busbar::cli {

/// A directory that nobody else can look into. Its end takes it away.
class Scratch {
 public:
  /// Errors: Failure.
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::filesystem::path plugins() const { return root_ / "plugins"; }
  std::filesystem::path state() const { return root_ / "state"; }
  std::filesystem::path cache() const { return root_ / "cache"; }
  std::filesystem::path run_dir() const { return root_ / "run"; }

 private:
  std::filesystem::path root_;
};

}  // namespace busbar::cli
