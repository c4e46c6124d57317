// A small file, mapped into memory, that says which plugin each thread of the host is inside: what is left of a host
// that has crashed, for the one that comes after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/plugin_manager.hpp"

namespace busbar::host {

/// How the host that ran here before has ended, if not in order.
struct LastEnd {
  std::optional<Crash> crash;       ///< it crashed, inside this plugin
  std::string what;                 ///< what it crashed with; empty: it was killed, or the machine ended
  std::vector<std::string> inside;  ///< plugins that threads were inside of
};

/// Ownership: the file `crash-marker` in the state directory; its mapping is never given back, as threads write to it
/// until their end. Threads: one, but for what is said to be for signal handlers.
class CrashMarker {
 public:
  /// Reads what the host before has left, and makes the file anew. Where that cannot be done, `problem` says why, and
  /// nothing is left for the host after this one.
  explicit CrashMarker(const std::filesystem::path& state_directory);

  /// Empty: all is well.
  const std::string& problem() const noexcept { return problem_; }
  /// Nothing: there was none, or it ended in order.
  const std::optional<LastEnd>& last_end() const noexcept { return last_end_; }

  /// A plugin's code is about to run.
  void enters(const Entering& plugin) noexcept;
  /// The host has stopped, and every plugin with it.
  void ended_in_order() noexcept;

  /// Notes that this thread is about to end the process: `what` tells with what and where, `code` is the file name of
  /// the library whose code runs, for threads of a plugin's own. In a signal handler.
  static void note_crash(std::string_view what, std::string_view code) noexcept;

 private:
  std::optional<LastEnd> last_end_;
  std::string problem_;
};

}  // namespace busbar::host
