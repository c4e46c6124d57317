#include "dev/scratch.hpp"

#include <stdlib.h>

#include <cerrno>
#include <string>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;

Scratch::Scratch() {
  std::error_code error;
  const fs::path around = fs::temp_directory_path(error);  // $TMPDIR, or /tmp
  std::string name = (around / "busbar-dev-XXXXXX").native();
  int number = error.value();
  if (!error && ::mkdtemp(name.data()) == nullptr) number = errno;
  if (number != 0) {
    throw Failure(ExitStatus::error, failure_code::kLocal,
                  "could not make a directory for the host, " + in_quotes(name) + ": " + error_text(number),
                  "have TMPDIR name a directory in which you may write");
  }
  root_ = name;
  fs::create_directory(plugins());
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

}  // namespace busbar::cli
