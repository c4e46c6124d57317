// Watches a project's sources.
#pragma once

#include <filesystem>
#include <map>
#include <string_view>
#include <vector>

namespace busbar::cli {

/// Whether saves of it are none of a project's sources: hidden, or what editors leave beside what they edit.
bool is_passed_over(std::string_view name);

/// The directory with all that is below it, also what is made there later; but no build trees (`build` at the top, and
/// wherever CMake has a cache), and nothing that is passed over.
class SourceWatch {
 public:
  /// Errors: Failure.
  explicit SourceWatch(std::filesystem::path top);
  ~SourceWatch();
  SourceWatch(const SourceWatch&) = delete;
  SourceWatch& operator=(const SourceWatch&) = delete;

  /// Readable where something may have changed.
  int descriptor() const noexcept { return inotify_; }
  /// The files that were written, moved or removed since the last time, some of them more than once. Does not wait.
  /// Errors: Failure.
  std::vector<std::filesystem::path> changes();

 private:
  struct Event;

  bool is_watched(const std::filesystem::path& directory) const;
  void add(const std::filesystem::path& directory, std::vector<std::filesystem::path>* files);
  void add_all_within(const std::filesystem::path& directory, std::vector<std::filesystem::path>* files);
  void forget(const std::filesystem::path& directory);
  void note(const Event& event, std::vector<std::filesystem::path>& files);

  std::filesystem::path top_;
  int inotify_ = -1;
  std::map<int, std::filesystem::path> watched_;
};

}  // namespace busbar::cli
