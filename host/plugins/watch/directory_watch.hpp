// Tells that something has happened in the plugin directory; what, is for who looks at it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plugins/file/descriptor_guard.hpp"
#include "plugins/watch/settling.hpp"

struct inotify_event;

namespace busbar::host {

/// `plugins.watch`.
enum class WatchMode : std::uint8_t {
  automatic,  ///< inotify, or polling where that would say nothing
  inotify,
  poll
};

/// By inotify, where that works; by being asked often, where it does not. Never fails: it polls, and says why.
/// Threads: one.
class DirectoryWatch {
 public:
  /// How often a directory that is polled is to be looked at, and any other one: events get lost, and symlinks lead
  /// to files elsewhere.
  static constexpr std::chrono::milliseconds kPollInterval{1'000};
  static constexpr std::chrono::milliseconds kRescanInterval{30'000};

  DirectoryWatch(std::filesystem::path directory, WatchMode wanted);
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  /// One thing that has happened.
  struct Event {
    std::string name;  ///< in the directory; empty: to the directory itself, or some were lost: look at all of it
    Change change = Change::other;
  };
  /// What has happened since the last time; does not wait.
  std::vector<Event> read();
  /// Readable when something has happened; -1: it is polled.
  int descriptor() const noexcept { return notify_.get(); }
  /// Watches what is at the path now: call before each look at the whole directory, which may be another one by now.
  /// Returns whether it is another one than was watched.
  bool follow();

  bool polls() const noexcept { return !notify_.valid(); }
  /// How often the whole directory is to be looked at.
  std::chrono::milliseconds interval() const noexcept { return polls() ? kPollInterval : kRescanInterval; }
  /// Why it is polled, in words; empty: because that is wanted, or it is not.
  const std::string& why() const noexcept { return why_; }

 private:
  void poll_because(std::string why);
  void watch_parent();
  void take(const inotify_event& event, std::string_view name, std::vector<Event>& events);

  const std::filesystem::path directory_;
  const WatchMode wanted_;
  DescriptorGuard notify_;
  int watch_ = -1;   // of the directory; -1: there is none
  int parent_ = -1;  // of the directory that it is in
  std::uint64_t device_ = 0, inode_ = 0;
  std::string why_;
};

/// Whether a file system that says this of itself (statfs(2), f_type) tells of all that changes in it: not those that
/// others may change, too. `name`: what it is called.
struct FileSystemKind {
  const char* name;
  bool tells;
};
FileSystemKind file_system_kind(long type) noexcept;

}  // namespace busbar::host
