// The configuration of a host that runs: what is in effect, and how it becomes another one (docs/decisions/0026).
#pragma once

#include <busbar/thread_safety.hpp>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "config/changes.hpp"
#include "config/config.hpp"
#include "daemon/live_keys.hpp"

namespace busbar::host {

/// What reading everything again has come to.
struct ConfigReload {
  std::vector<ConfigFault> faults;        ///< with any nothing was applied
  std::vector<const Key*> changed;        ///< in effect now
  std::vector<const Key*> needs_restart;  ///< these are not, and what is in effect stays until then
  /// Of those that need one only because what is in effect does not allow them: the keys that would.
  std::map<const Key*, std::vector<const Key*>> together_with;
  bool log_levels = false;               ///< whether the table [log.levels] has changed: in effect now
  std::vector<std::string> tables;       ///< plugins whose tables have changed: in effect when each is loaded again
  std::shared_ptr<const Config> before;  ///< in effect until now
  std::shared_ptr<const Config> read;    ///< null with faults
};

/// The answer to `busbar config reload`: {"reloaded", "file", "changed", "needs_restart", "plugins", "faults"}.
nlohmann::json to_json(const ConfigReload& reload, const std::optional<std::filesystem::path>& file);

/// Threads: any.
class LiveConfig {
 public:
  /// `source`: where `started_with` came from; nothing: a program has made it, and it cannot be read again.
  LiveConfig(Config started_with, std::optional<ConfigSource> source);

  /// What is in effect; it does not change.
  std::shared_ptr<const Config> now() const;
  /// Reads the source anew and has the parts take what may change, all of it or, where anything is wrong, nothing.
  /// One at a time; others wait.
  ConfigReload reload(const RunningParts& parts);
  /// The same without any part taking anything.
  ConfigReload look() const;

  std::optional<std::filesystem::path> file() const;
  /// The answer to `busbar config show`: {"file", "keys": [{"key","value","source","where"}…], "plugin_tables",
  /// "file_now": what a reload would say}.
  nlohmann::json document() const;

 private:
  ConfigReload read() const;

  const std::optional<ConfigSource> source_;
  Mutex reloading_;
  mutable Mutex mutex_;
  std::shared_ptr<const Config> now_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::host
