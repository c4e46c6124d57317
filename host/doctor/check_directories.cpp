// The directories of a host: that they are there, its own, and have room.
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "config/units.hpp"
#include "doctor/examined.hpp"
#include "log/text.hpp"
#include "plugins/file/directory.hpp"
#include "rundir/rundir.hpp"

namespace busbar::host::doctor {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCheck = "directories";
constexpr std::uint64_t kLeastRoom = 1U << 20;    // what is kept between runs is smaller
constexpr std::uint64_t kLittleRoom = 64U << 20;  // copies of plugins

/// The directory, or the nearest of its parents that is there.
fs::path existing(fs::path path) {
  std::error_code unknown;
  while (!fs::exists(path, unknown) && path.has_parent_path() && path != path.parent_path()) path = path.parent_path();
  return path;
}

bool can_write(const fs::path& directory) {
  std::error_code unknown;
  return fs::is_directory(directory, unknown) && ::access(directory.c_str(), W_OK | X_OK) == 0;
}

// Root, who asks about a host that does not answer, is hardly the one who runs it.
std::string advice_for(const fs::path& path, const char* flag) {
  const std::string mend = "chown and chmod 0700 " + path.string() + " for the user who runs the host";
  const std::string other = std::string("name another directory with ") + flag;
  if (::geteuid() != 0) return mend + ", or run busbar doctor as that user; or " + other;
  return "run busbar doctor as the user who runs the host (runuser -u busbar -- busbar doctor); or " + mend + "; or " +
         other;
}

// Returns whether there is nothing to say against it so far.
bool check_own(const Examined& host, const fs::path& path, const char* purpose, const char* flag, Findings& findings) {
  const DirectoryLook look = look_at_directory(path, purpose, host.user);
  if (!look.problem.empty()) {
    findings.problem(kCheck, path.string(), look.problem,
                     "a directory of the user who runs the host, and nobody else's", advice_for(path, flag));
    return false;
  }
  if (!look.exists && !can_write(existing(path))) {
    findings.problem(kCheck, path.string(), "it is not there, and cannot be made in " + existing(path).string(),
                     "a directory, or that it can be made", advice_for(path, flag));
    return false;
  }
  if (look.holder && !host.is_running()) {
    findings.warning(kCheck, path.string(),
                     "held by node " + look.holder->node + " (process " + std::to_string(look.holder->pid) + ")",
                     "that no host holds it, for another one to start with it",
                     std::string("end that host, or name another directory with ") + flag);
    return false;
  }
  return true;
}

bool check_room(const fs::path& path, std::uint64_t wanted, Findings& findings) {
  struct statvfs system {};
  if (::statvfs(existing(path).c_str(), &system) != 0) {
    findings.problem(kCheck, path.string(), "its file system cannot be looked at: " + error_text(errno),
                     "a file system", "see to it");
    return false;
  }
  if ((system.f_flag & ST_RDONLY) != 0) {
    findings.problem(kCheck, path.string(), "it is mounted read-only", "that it can be written to",
                     "mount it rw, or name another directory");
    return false;
  }
  const std::uint64_t free = std::uint64_t{system.f_bavail} * system.f_frsize;
  if (free >= wanted) return true;
  const std::string found = format_size(free) + " are free";
  const std::string expected = "at least " + format_size(wanted);
  if (free < kLeastRoom) {
    findings.problem(kCheck, path.string(), found, expected, "make room there, or name another directory");
  } else {
    findings.warning(kCheck, path.string(), found, expected, "make room there, or name another directory");
  }
  return false;
}

bool check_executable(const fs::path& path, Findings& findings) {
  struct statvfs system {};
  if (::statvfs(existing(path).c_str(), &system) != 0 || (system.f_flag & ST_NOEXEC) == 0) return true;
  findings.problem(kCheck, path.string(), "it is on a file system that is mounted noexec",
                   "one from which code can be run: plugins are loaded from copies there",
                   "name another directory with --cache-dir or paths.cache");
  return false;
}

void check_plugin_directory(const Config& config, Findings& findings) {
  const std::string path = config.paths.plugins.string();
  const DirectoryListing listing = list_plugin_directory(config.paths.plugins, {config.plugins.allow_world_writable});
  if (!listing.ok()) {
    return findings.problem(kCheck, path, listing.problem,
                            "a directory with plugins, into which not everybody can write",
                            "mkdir -p " + path + ", chmod o-w " + path + ", or name another one with --plugins");
  }
  for (const std::string& warning : listing.warnings) {
    findings.warning(kCheck, path, warning, "that only its owner can write there", "chmod go-w " + path);
  }
  for (const PluginCandidate& candidate : listing.candidates) {
    if (candidate.usable()) continue;
    findings.problem(kCheck, candidate.path.string(), candidate.unusable, "a plugin's library that the host may read",
                     "busbar check " + candidate.path.string());
  }
  findings.ok(kCheck, path, std::to_string(listing.candidates.size()) + " plugin files");
}

bool check_state(const fs::path& path, Findings& findings) {
  const fs::path there = existing(path);
  std::error_code unknown;
  const bool is_directory = fs::is_directory(there, unknown);
  if (is_directory && can_write(there)) return true;
  findings.problem(kCheck, path.string(),
                   is_directory ? "it cannot be written to" : in_quotes(there.native()) + " is no directory",
                   "a directory of the user who runs the host", advice_for(path, "--state-dir"));
  return false;
}

// Changes nothing: it is not opened, as that would make it.
void check_log_file(const fs::path& file, Findings& findings) {
  if (file.empty()) return;
  const fs::path folder = fs::absolute(file).parent_path();
  const bool exists = ::access(file.c_str(), F_OK) == 0;
  const bool may_write = exists ? ::access(file.c_str(), W_OK) == 0 : ::access(folder.c_str(), W_OK | X_OK) == 0;
  const int error = errno;
  std::error_code unknown;
  if (may_write && !fs::is_directory(file, unknown)) {
    return findings.ok(kCheck, file.string(), "the log can be written there");
  }
  const std::string why = may_write ? "it is a directory"
                          : exists  ? error_text(error)
                                    : in_quotes(folder.native()) + ": " + error_text(error);
  findings.problem(kCheck, file.string(), "the log cannot be written there: " + why,
                   "a file that the user who runs the host may write, in a directory that exists (log.file)",
                   "make the directory (mkdir, chown), run busbar doctor as that user, or set log.file");
}

void check_socket(const Config& config, Findings& findings) {
  try {
    admin_socket_path(config.paths.run);
  } catch (const DirectoryError& error) {
    findings.problem(kCheck, config.paths.run.string(), error.what(), "a shorter path",
                     "name another one with --run-dir");
  }
}

}  // namespace

void check_directories(const Examined& host, Findings& findings) {
  const auto& paths = host.config.paths;
  check_plugin_directory(host.config, findings);
  check_socket(host.config, findings);
  // All are looked at, also where one check has failed already.
  const bool run_is_own = check_own(host, paths.run, "run directory", "--run-dir", findings);
  const bool run_has_room = check_room(paths.run, kLeastRoom, findings);
  if (run_is_own && run_has_room) findings.ok(kCheck, paths.run.string(), "the run directory can be used");
  const bool state = check_room(paths.state, kLeastRoom, findings);
  const bool writable = check_state(paths.state, findings);
  if (state && writable) findings.ok(kCheck, paths.state.string(), "the state directory can be used");
  const bool cache_is_own = check_own(host, paths.cache, "cache directory", "--cache-dir", findings);
  const bool cache_is_executable = check_executable(paths.cache, findings);
  const bool cache_has_room = check_room(paths.cache, kLittleRoom, findings);
  if (cache_is_own && cache_is_executable && cache_has_room)
    findings.ok(kCheck, paths.cache.string(), "the cache directory can be used");
  check_log_file(host.config.log.file, findings);
}

}  // namespace busbar::host::doctor
