#include "plugins/file/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "plugins/file/descriptor_guard.hpp"

namespace busbar::host {

namespace {

struct EndListing {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::string in_quotes(const std::filesystem::path& path) { return "\"" + path.string() + "\""; }

PluginCandidate look_at(const std::filesystem::path& directory, int directory_descriptor, const std::string& name) {
  PluginCandidate out;
  out.file_name = name;
  out.path = directory / name;
  struct stat facts {};
  if (fstatat(directory_descriptor, name.c_str(), &facts, 0) != 0) {
    const int error = errno;
    struct stat link {};
    const bool dangles = (error == ENOENT || error == ELOOP) &&
                         fstatat(directory_descriptor, name.c_str(), &link, AT_SYMLINK_NOFOLLOW) == 0 &&
                         S_ISLNK(link.st_mode);
    out.unusable = dangles ? (error == ELOOP ? "is a symlink that leads back to itself"
                                             : "is a symlink to a file that does not exist")
                           : std::string("cannot be looked at: ") + std::strerror(error);
    return out;
  }
  out.stamp = stamp_of(facts);
  if (S_ISDIR(facts.st_mode)) {
    out.unusable = "is a directory";
  } else if (!S_ISREG(facts.st_mode)) {
    out.unusable = "is not a regular file";
  } else {
    const DescriptorGuard file(
        openat(directory_descriptor, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.valid()) out.unusable = std::string("cannot be read: ") + std::strerror(errno);
  }
  return out;
}

void judge_permissions(const std::filesystem::path& directory, const struct stat& facts, const DirectoryRules& rules,
                       DirectoryListing& out) {
  if ((facts.st_mode & S_IWOTH) != 0) {
    const std::string text = "plugin directory " + in_quotes(directory) + " can be written by everybody";
    if (rules.allow_writable_by_everybody) {
      out.warnings.push_back(text);
    } else {
      out.problem = text +
                    ", so that anybody could have code run here; take that right away (chmod o-w), or allow it "
                    "in the configuration";
    }
  } else if ((facts.st_mode & S_IWGRP) != 0) {
    out.warnings.push_back("plugin directory " + in_quotes(directory) + " can be written by its group");
  }
}

}  // namespace

bool is_plugin_file_name(std::string_view name) {
  return name.size() > 3 && name.ends_with(".so") && name.front() != '.';
}

const PluginCandidate* DirectoryListing::find(const std::string& file_name) const {
  const auto at = std::lower_bound(candidates.begin(), candidates.end(), file_name,
                                   [](const auto& candidate, const auto& name) { return candidate.file_name < name; });
  return at != candidates.end() && at->file_name == file_name ? &*at : nullptr;
}

DirectoryListing list_plugin_directory(const std::filesystem::path& directory, const DirectoryRules& rules) {
  DirectoryListing out;
  const std::string what = "plugin directory " + in_quotes(directory);
  // No O_DIRECTORY: a file in its place gets words of its own. Non-blocking, should it be a named pipe.
  DescriptorGuard descriptor(::open(directory.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!descriptor.valid() || fstat(descriptor.get(), &facts) != 0) {
    out.problem = errno == ENOENT ? what + " does not exist" : what + " cannot be read: " + std::strerror(errno);
    return out;
  }
  if (!S_ISDIR(facts.st_mode)) {
    out.problem = what + " is not a directory";
    return out;
  }
  judge_permissions(directory, facts, rules, out);
  if (!out.ok()) return out;

  // The listing takes a descriptor over and closes it; ours is still wanted for looking at the names. Opened anew, as
  // the thread sanitizer does not see fcntl(2) copy one.
  const std::unique_ptr<DIR, EndListing> listing(
      fdopendir(openat(descriptor.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!listing) {
    out.problem = what + " cannot be read: " + std::strerror(errno);
    return out;
  }
  errno = 0;
  while (const dirent* entry = readdir(listing.get())) {
    if (is_plugin_file_name(entry->d_name))
      out.candidates.push_back(look_at(directory, descriptor.get(), entry->d_name));
    errno = 0;
  }
  if (errno != 0) {  // a list cut short would look like plugins that have been taken away
    out.problem = what + " cannot be read: " + std::strerror(errno);
    out.candidates.clear();
  }
  std::sort(out.candidates.begin(), out.candidates.end(),
            [](const PluginCandidate& a, const PluginCandidate& b) { return a.file_name < b.file_name; });
  return out;
}

}  // namespace busbar::host
