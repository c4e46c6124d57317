#include "dev/verb.hpp"

#include <stdlib.h>

#include <optional>
#include <string>

#include "check.hpp"
#include "dev/session.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;

ExitStatus develop(const Command& command, const Variables& variables, const Streams& streams) {
  const fs::path own = own_directory();
  const char* path = variables("PATH");
  const std::string searched = path == nullptr ? "" : path;
  const auto busbard = find_busbard(own, searched);
  if (!busbard) {
    throw Failure(
        ExitStatus::error, failure_code::kLocal,
        "could not serve a project: found no busbard, neither in " + in_quotes(own.native()) + " nor in $PATH",
        "install the host as well");
  }
  // CMake looks for packages near the directories of $PATH: the one that this program belongs to is found in any case.
  ::setenv("PATH", (searched.empty() ? own.native() : searched + ":" + own.native()).c_str(), 1);
  return Session(command, {own / "busbar", *busbard}, variables, streams).run();
}

}  // namespace busbar::cli
