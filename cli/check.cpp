#include "check.hpp"

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;

namespace {

bool is_program(const fs::path& path) {
  std::error_code unknown;
  return fs::is_regular_file(path, unknown) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

fs::path own_directory() {
  std::error_code unknown;
  return fs::read_symlink("/proc/self/exe", unknown).parent_path();
}

std::optional<fs::path> find_busbard(const fs::path& beside, const std::string& path) {
  if (!beside.empty() && is_program(beside / "busbard")) return beside / "busbard";
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    if (!directory.empty() && is_program(fs::path(directory) / "busbard")) return fs::path(directory) / "busbard";
  }
  return std::nullopt;
}

fs::path busbard_for(const std::string& what, const Variables& variables) {
  const fs::path own = own_directory();
  const char* path = variables("PATH");
  const auto busbard = find_busbard(own, path == nullptr ? "" : path);
  if (busbard) return *busbard;
  throw Failure(ExitStatus::error, failure_code::kLocal,
                "could not " + what + ": found no busbard, neither in " + in_quotes(own.native()) + " nor in $PATH",
                "install the host as well");
}

void become(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  throw Failure(ExitStatus::error, failure_code::kLocal,
                "could not run " + in_quotes(arguments.front()) + ": " + error_text(errno));
}

std::vector<std::string> check_arguments(const fs::path& busbard, const Command& command) {
  std::vector<std::string> arguments = {busbard.native()};
  if (command.json) arguments.emplace_back("--json");
  arguments.emplace_back("--check-files");  // last: whatever follows it is a file
  for (const std::string& file : command.files) {
    arguments.push_back(file.starts_with('-') ? "./" + file : file);  // which must not look like an option
  }
  return arguments;
}

void add_config(std::vector<std::string>& arguments, const Command& command, const fs::path& usual) {
  std::error_code unknown;  // then it is not there
  const std::string file = command.config.empty() && fs::exists(usual, unknown) ? usual.native() : command.config;
  if (!file.empty()) arguments.push_back("--config=" + file);
}

std::vector<std::string> config_check_arguments(const fs::path& busbard, const Command& command,
                                                const fs::path& usual) {
  std::vector<std::string> arguments = {busbard.native(), "--check-config"};
  if (command.json) arguments.emplace_back("--json");
  add_config(arguments, command, usual);
  return arguments;
}

void become_check(const Command& command, const Variables& variables) {
  const fs::path busbard = busbard_for("check plugin files", variables);
  become(check_arguments(busbard, command));
}

void become_config_check(const Command& command, const Variables& variables) {
  const fs::path busbard = busbard_for("check a configuration", variables);
  become(config_check_arguments(busbard, command));
}

}  // namespace busbar::cli
