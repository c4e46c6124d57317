// A `busbard`, most often with three example plugins, in directories of its own.
#pragma once

#include <busbar/wire/admin.hpp>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "remote/process.hpp"

namespace bench {

inline constexpr int kExamplePlugins = 3;

// The directories of all hosts; gone with this.
class ClusterDirectory {
 public:
  ClusterDirectory();
  ~ClusterDirectory();
  ClusterDirectory(const ClusterDirectory&) = delete;
  ClusterDirectory& operator=(const ClusterDirectory&) = delete;

  // Makes the directory of one host, its plugins in it.
  std::filesystem::path add(const std::string& node) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Ends with -9.
class Daemon {
 public:
  // `directory`: as ClusterDirectory::add has made it, or with other plugins. `more`: flags of busbard.
  Daemon(const std::string& node, std::filesystem::path directory, const std::vector<std::string>& more);

  pid_t pid() const { return process_.pid(); }
  // What `busbar VERB --json` shows; waits until the host answers. Throws std::runtime_error where it has ended, or has
  // not answered for a minute.
  nlohmann::json ask(std::string_view verb) const;

 private:
  const std::string node_;
  const std::filesystem::path directory_;
  ServerProcess process_;
};

// What a process holds.
struct Resources {
  double resident_mb = 0;
  double own_mb = 0;           // of it, shared with no other process
  double proportional_mb = 0;  // what is shared divided by who shares it
  int threads = 0;
  int descriptors = 0;
};
Resources resources_of(pid_t pid);

// An address of this machine that is free now, for a seed that others must know before it runs.
std::string free_address();

}  // namespace bench
