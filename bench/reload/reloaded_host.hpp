// A `busbard` with one plugin, whose file is there in two versions.
#pragma once

#include <busbar/wire/admin.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "admin_client.hpp"
#include "cluster/daemon.hpp"

namespace bench {

// Ends with -9. Threads: `move_in` any one; all else another one.
class ReloadedHost {
 public:
  ReloadedHost();

  std::string seed() const;
  std::filesystem::path cache() const { return directory_ / "state" / "cache"; }
  // The newest generation of the plugin.
  std::uint64_t generation() const;

  // The other version takes the place of the one that is there, by a rename; nobody asks the host to look. Returns
  // which.
  std::int64_t move_in();
  // What the service `version_inline` answers, over the admin socket. Throws std::runtime_error where it fails.
  std::int64_t call();

 private:
  const ClusterDirectory root_;
  const std::filesystem::path directory_;
  std::int64_t version_ = 1;
  const Daemon daemon_;
  std::unique_ptr<busbar::cli::AdminClient> client_;
};

}  // namespace bench
