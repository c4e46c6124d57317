#include "dev/source_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;

namespace {

// Not IN_CREATE of files: what is made is written, which is told when it is done.
constexpr std::uint32_t kWatched = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_CREATE | IN_ONLYDIR;

bool is_within(const fs::path& path, const fs::path& directory) {
  const auto [end, unused] = std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  return end == directory.end();
}

Failure not_watched(const fs::path& directory, int error) {
  const char* hint = error == ENOSPC   ? "raise fs.inotify.max_user_watches (sysctl)"
                     : error == EMFILE ? "raise fs.inotify.max_user_instances (sysctl), or ulimit -n"
                                       : "";
  return Failure(ExitStatus::error, failure_code::kLocal,
                 "could not watch " + in_quotes(directory.native()) + " for changes: " + error_text(error), hint);
}

}  // namespace

struct SourceWatch::Event {
  fs::path directory;
  std::string name;
  std::uint32_t mask = 0;
};

bool is_passed_over(std::string_view name) {
  const bool is_hidden = name.starts_with('.');
  const bool is_backup = name.ends_with('~') || name.starts_with('#') || name.ends_with(".swp") ||
                         name.ends_with(".tmp") || name.ends_with(".bak") || name.ends_with(".orig");
  const bool is_trial =
      name == "4913" || name.find("___jb_") != std::string_view::npos;  // of vim; of JetBrains' editors
  return name.empty() || is_hidden || is_backup || is_trial;
}

SourceWatch::SourceWatch(fs::path top) : top_(std::move(top)), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (inotify_ < 0) throw not_watched(top_, errno);
  try {
    add(top_, nullptr);
  } catch (...) {
    ::close(inotify_);
    throw;
  }
}

SourceWatch::~SourceWatch() { ::close(inotify_); }

bool SourceWatch::is_watched(const fs::path& directory) const {
  if (directory == top_) return true;
  std::error_code unknown;
  if (is_passed_over(directory.filename().native()) || directory == top_ / "build") return false;
  return !fs::exists(directory / "CMakeCache.txt", unknown);
}

// The watch comes before the look: what is made in between is told twice rather than not at all.
void SourceWatch::add(const fs::path& directory, std::vector<fs::path>* files) {
  if (!is_watched(directory)) return;
  const int watch = ::inotify_add_watch(inotify_, directory.c_str(), kWatched);
  if (watch < 0) {
    const bool is_gone = errno == ENOENT || errno == ENOTDIR;  // already again; that of the top is an error
    if (is_gone && directory != top_) return;
    throw not_watched(directory, errno);
  }
  watched_[watch] = directory;
  add_all_within(directory, files);
}

void SourceWatch::add_all_within(const fs::path& directory, std::vector<fs::path>* files) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unknown;
    if (entry->is_directory(unknown) && !entry->is_symlink(unknown)) {
      add(entry->path(), files);
    } else if (files != nullptr && !is_passed_over(entry->path().filename().native())) {
      files->push_back(entry->path());
    }
  }
}

// One that was moved away would go on to tell, by the name that it had here.
void SourceWatch::forget(const fs::path& directory) {
  for (auto watch = watched_.begin(); watch != watched_.end();) {
    if (is_within(watch->second, directory)) {
      ::inotify_rm_watch(inotify_, watch->first);
      watch = watched_.erase(watch);
    } else {
      ++watch;
    }
  }
}

void SourceWatch::note(const Event& event, std::vector<fs::path>& files) {
  const fs::path path = event.directory / event.name;
  if ((event.mask & IN_ISDIR) != 0) {
    if ((event.mask & (IN_MOVED_FROM | IN_DELETE)) != 0) forget(path);
    if ((event.mask & (IN_MOVED_TO | IN_CREATE)) != 0) add(path, &files);
    return;
  }
  std::error_code unknown;
  if ((event.mask & IN_CREATE) != 0 && !fs::is_symlink(path, unknown)) return;
  // A directory may have become a build tree since it is watched.
  for (fs::path above = event.directory; above != top_ && is_within(above, top_); above = above.parent_path()) {
    if (!is_watched(above)) return;
  }
  if (!is_passed_over(event.name)) files.push_back(path);
}

std::vector<fs::path> SourceWatch::changes() {
  std::vector<fs::path> files;
  alignas(inotify_event) std::array<char, 65'536> buffer;
  for (ssize_t size = 0; (size = ::read(inotify_, buffer.data(), buffer.size())) > 0;) {
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      at += static_cast<ssize_t>(sizeof event + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        add(top_, &files);  // what was lost is not known: all counts as changed
      } else if (const auto watch = watched_.find(event.wd); watch == watched_.end()) {
        continue;
      } else if ((event.mask & IN_IGNORED) != 0) {
        watched_.erase(watch);
      } else if (event.len != 0) {
        note({watch->second, std::string(name), event.mask}, files);
      }
    }
  }
  return files;
}

}  // namespace busbar::cli
