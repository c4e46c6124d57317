// A whole host: what `busbard` runs, and what another program can embed.
#pragma once

#include <busbar/registry/registry.hpp>

#include <chrono>
#include <filesystem>
#include <memory>

#include "admin/admin_server.hpp"
#include "config/config.hpp"
#include "dispatch/dispatcher.hpp"
#include "events/events.hpp"
#include "events/log_observer.hpp"
#include "log/log.hpp"
#include "plugins/plugin_manager.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"
#include "rundir/rundir.hpp"

namespace busbar::host {

/// The version of this build, as `busbard --version` prints it.
const char* version() noexcept;

/// What is left of a host after `stop`.
struct Stopped {
  /// Every call has ended and every plugin is gone. Otherwise handlers still run: the process must end without running
  /// destructors (`_exit`).
  bool clean = true;
};

/// Ownership: everything that is part of a host. Threads: constructed and stopped by one; everything else from any.
class Host {
 public:
  /// Takes the run and the cache directory for itself. `trial_program` is run as `PROGRAM --try-plugin FILE`.
  /// Errors: DirectoryError, CopyError, AdminError, std::system_error, each in words for an operator.
  Host(Config config, std::filesystem::path trial_program);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Looks at the plugin directory again.
  void rescan() { plugins_.scan(); }

  /// Ends in order: no new calls from outside; calls under way have `shutdown.timeout`; plugins stop in the reverse
  /// order of their loading; threads end. A second call does nothing.
  Stopped stop();

  Dispatcher& dispatcher() noexcept { return dispatcher_; }
  registry::Registry& registry() noexcept { return registry_; }
  EventStream& events() noexcept { return events_; }
  PluginManager& plugins() noexcept { return plugins_; }

 private:
  AdminHooks admin_hooks();
  nlohmann::json services() const;
  nlohmann::json plugin_list() const;
  nlohmann::json status() const;

  const Config config_;
  Logs logs_;
  const Logger log_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();

  DirectoryLock run_lock_;
  DirectoryLock cache_lock_;
  EventStream events_;
  registry::Registry registry_;
  Supervisor supervisor_;
  Pool pool_;
  Dispatcher dispatcher_;
  PluginManager plugins_;
  std::unique_ptr<AdminServer> admin_;
  bool stopped_ = false;
};

}  // namespace busbar::host
