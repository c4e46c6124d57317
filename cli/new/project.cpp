#include "new/project.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "failure.hpp"
#include "new/template.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;

namespace {

Failure failure(const std::string& what, const std::string& why, std::string hint = {}) {
  return Failure(ExitStatus::error, failure_code::kLocal, "could not " + what + ": " + why, std::move(hint));
}

/// A project that is being written. Unless it was `completed`, its end takes away what it made.
class Unfinished {
 public:
  explicit Unfinished(const fs::path& directory) : directory_(directory) {
    const std::string what = "make the project " + in_quotes(directory.native());
    if (::mkdir(directory.c_str(), 0777) == 0) {
      made_directory_ = true;
      return;
    }
    const int error = errno;
    if (error == ENOENT) {
      throw failure(what, error_text(error), "the directory around it must be there; mkdir -p makes it");
    }
    if (error != EEXIST) throw failure(what, error_text(error));
    refuse_unless_empty(what);
  }
  ~Unfinished() {
    if (completed_) return;
    for (const fs::path& file : files_) ::unlink(file.c_str());
    if (made_directory_) ::rmdir(directory_.c_str());
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  void add(const ProjectFile& file) {
    const fs::path path = directory_ / file.path;
    files_.push_back(path);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
      const int error = errno;
      files_.pop_back();  // what is there is not ours
      throw failed(path, error);
    }
    int error = write_all(fd, file.content);
    if (::close(fd) != 0 && error == 0) error = errno;
    if (error != 0) throw failed(path, error);
  }
  void completed() { completed_ = true; }

 private:
  void refuse_unless_empty(const std::string& what) const {
    constexpr const char* kHint = "choose another name, or say with --directory where the project is to be made";
    std::error_code error;
    if (!fs::is_directory(directory_, error)) throw failure(what, "there is something of this name", kHint);
    const fs::directory_iterator first(directory_, error);
    if (error) throw failure(what, "the directory is there and cannot be read: " + error_text(error.value()), kHint);
    if (first == fs::directory_iterator()) return;
    throw failure(what, "the directory is there and not empty, it has " + in_quotes(first->path().filename().native()),
                  kHint);
  }

  static Failure failed(const fs::path& file, int error) {
    return failure("write " + in_quotes(file.native()), error_text(error), "nothing was left behind");
  }

  /// The error, 0 for none.
  static int write_all(int fd, std::string_view content) {
    while (!content.empty()) {
      const ssize_t written = ::write(fd, content.data(), content.size());
      if (written < 0 && errno != EINTR) return errno;
      if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
  }

  fs::path directory_;
  std::vector<fs::path> files_;
  bool made_directory_ = false;
  bool completed_ = false;
};

}  // namespace

// In one pass: a name that is put in may look like one that is to be replaced.
std::string with_names(std::string_view text, const ProjectNames& names) {
  using Replacement = std::pair<std::string_view, const std::string*>;
  const std::array<Replacement, 3> replacements = {
      Replacement{"my-plugin", &names.plugin}, {"my_plugin", &names.service}, {"MyPlugin", &names.type}};
  std::string out;
  while (!text.empty()) {
    const auto found = std::find_if(replacements.begin(), replacements.end(), [&](const Replacement& replacement) {
      return text.starts_with(replacement.first);
    });
    if (found == replacements.end()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += *found->second;
      text.remove_prefix(found->first.size());
    }
  }
  return out;
}

std::vector<ProjectFile> project_files(const ProjectNames& names) {
  std::vector<ProjectFile> files;
  for (const TemplateFile& file : template_files()) {
    files.push_back({std::string(file.path), with_names(file.content, names)});
  }
  return files;
}

void write_project(const fs::path& directory, const std::vector<ProjectFile>& files) {
  Unfinished project(directory);
  for (const ProjectFile& file : files) project.add(file);
  project.completed();
}

}  // namespace busbar::cli
