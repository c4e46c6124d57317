#include "plugins/watch/directory_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace busbar::host {

namespace {

constexpr std::uint32_t kInDirectory = IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_TO |
                                       IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kInParent =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

Change change_of(std::uint32_t mask) noexcept {
  if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) return Change::finished;
  return (mask & IN_ATTRIB) != 0 ? Change::attributes : Change::other;
}

// Without a slash at its end, so that it has a name in its parent.
std::filesystem::path trimmed(const std::filesystem::path& directory) {
  return directory.has_filename() ? directory : directory.parent_path();
}

}  // namespace

FileSystemKind file_system_kind(long type) noexcept {
  // From linux/magic.h, and the sources of those that are not there.
  switch (static_cast<std::uint32_t>(type)) {
    case 0x6969:
      return {"NFS", false};
    case 0xFF534D42:
    case 0xFE534D42:
    case 0x517B:
      return {"SMB", false};
    case 0x01021997:
      return {"9P", false};
    case 0x65735546:
      return {"FUSE", false};
    case 0x00C36400:
      return {"Ceph", false};
    case 0x5346414F:
      return {"AFS", false};
    case 0x0BD00BD0:
      return {"Lustre", false};
    case 0x01161970:
      return {"GFS2", false};
    case 0x7461636F:
      return {"OCFS2", false};
    case 0x786F4256:
      return {"vboxsf", false};
    default:
      return {"", true};
  }
}

DirectoryWatch::DirectoryWatch(std::filesystem::path directory, WatchMode wanted)
    : directory_(trimmed(directory)), wanted_(wanted) {
  if (wanted_ == WatchMode::poll) return;
  notify_ = DescriptorGuard(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (notify_.valid()) {
    watch_parent();
  } else {
    poll_because(std::string("inotify: ") + std::strerror(errno));
  }
  follow();
}

void DirectoryWatch::poll_because(std::string why) {
  why_ = std::move(why);
  notify_ = DescriptorGuard();
  watch_ = parent_ = -1;
}

// Where the directory is replaced, or a symlink in its place is.
void DirectoryWatch::watch_parent() {
  const std::filesystem::path parent = directory_.has_parent_path() ? directory_.parent_path() : ".";
  parent_ = ::inotify_add_watch(notify_.get(), parent.c_str(), kInParent);
}

bool DirectoryWatch::follow() {
  struct stat facts {};
  const bool is_there = ::stat(directory_.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
  const bool is_same = is_there && facts.st_dev == device_ && facts.st_ino == inode_;
  if (!is_there) {
    const bool was_there = std::exchange(inode_, 0) != 0;
    watch_ = -1;
    return was_there;
  }
  if (is_same && (polls() || watch_ >= 0)) return false;
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
  if (polls()) return !is_same;
  struct statfs system {};
  if (wanted_ == WatchMode::automatic && ::statfs(directory_.c_str(), &system) == 0) {
    if (const FileSystemKind kind = file_system_kind(system.f_type); !kind.tells) {
      poll_because(std::string("it lies on ") + kind.name + ", which does not tell of what others change");
      return true;
    }
  }
  if (watch_ >= 0) ::inotify_rm_watch(notify_.get(), watch_);
  watch_ = ::inotify_add_watch(notify_.get(), directory_.c_str(), kInDirectory);
  if (watch_ < 0 && errno != ENOENT && errno != ENOTDIR) poll_because(std::string("inotify: ") + std::strerror(errno));
  return true;
}

std::vector<DirectoryWatch::Event> DirectoryWatch::read() {
  std::vector<Event> events;
  alignas(inotify_event) std::array<char, 64 * 1024> buffer;
  for (;;) {
    const ssize_t size = polls() ? 0 : ::read(notify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return events;
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      inotify_event event;  // its name follows it
      std::memcpy(&event, at, sizeof event);
      const char* const name = at + sizeof event;
      take(event, event.len != 0 ? std::string_view(name) : std::string_view(), events);
      at = name + event.len;
    }
  }
}

void DirectoryWatch::take(const inotify_event& event, std::string_view name, std::vector<Event>& events) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    events.push_back({});
  } else if (event.wd == parent_) {
    if ((event.mask & IN_IGNORED) != 0) parent_ = -1;
    if (name == directory_.filename().native() || name.empty()) events.push_back({});
  } else if (event.wd == watch_) {
    if ((event.mask & IN_IGNORED) != 0) watch_ = -1;
    if (name.empty()) {
      if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) events.push_back({});
    } else {
      events.push_back({std::string(name), change_of(event.mask)});
    }
  }
}

}  // namespace busbar::host
