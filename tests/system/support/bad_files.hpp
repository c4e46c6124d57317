// The files that are no usable plugins: one for each defect.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace busbar::system_tests {

struct BadFile {
  std::string file;                 ///< its name in the plugin directory
  std::vector<std::string> reason;  ///< what its reason must say
  /// Whether looking at it is enough to refuse it: `busbar check` does. The others need their code to be run.
  bool seen_from_outside = true;
};

/// The timeout of trials that their reasons name: what the good ones need on a busy machine, as two of the bad ones use
/// it up.
int seconds_for_trials();

/// Puts all of them into `directory`, and says what is expected of each.
std::vector<BadFile> put_bad_files(const std::filesystem::path& directory);

}  // namespace busbar::system_tests
