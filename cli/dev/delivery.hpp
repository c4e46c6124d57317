// From the build tree to the host.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace busbar::cli {

/// What has become another in a plugin directory, by names of files.
struct Delivery {
  std::vector<std::string> brought;
  std::vector<std::string> taken_away;
};

/// Makes a plugin directory hold these libraries and no others. Each is put there in one step, by a rename, and only if
/// its bytes have changed: to build the same again is no reason for a host to begin anew. Errors: Failure; then what
/// was there is there still.
Delivery deliver(const std::vector<std::filesystem::path>& libraries, const std::filesystem::path& directory);

}  // namespace busbar::cli
