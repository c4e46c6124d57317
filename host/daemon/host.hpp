// A whole host: what `busbard` runs, and what another program can embed. A node with plugins and an admin socket.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/admin_server.hpp"
#include "admin/query_server.hpp"
#include "config/config.hpp"
#include "daemon/crash_marker.hpp"
#include "daemon/descriptor_limit.hpp"
#include "daemon/live_config.hpp"
#include "daemon/liveness.hpp"
#include "daemon/readiness.hpp"
#include "daemon/readiness_log.hpp"
#include "events/event_history.hpp"
#include "http/http_server.hpp"
#include "log/log.hpp"
#include "node/node.hpp"
#include "plugins/plugin_manager.hpp"
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
  /// Takes the run and the cache directory for itself. It logs to `logs`. `trial_program` is run as `PROGRAM
  /// --try-plugin FILE`. `refused` is called when the cluster refuses this node (C-G7): on one of the host's threads,
  /// possibly before the constructor has returned; the host should then be stopped, by another thread. Errors:
  /// DirectoryError, CopyError, AdminError, HttpError, ClusterError, CallPlaneError, std::system_error, each in words
  /// for an operator. `source`: what the configuration was made of, for `reload`.
  Host(Config config, Logs logs, std::filesystem::path trial_program,
       std::function<void(std::string_view reason)> refused = {}, std::optional<ConfigSource> source = {});
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Looks at the plugin directory again. `done` is called when that is over, on the loader's thread; never where the
  /// host stops first.
  void rescan(std::function<void()> done = {}) { plugins_.scan(std::move(done)); }
  /// Reads the configuration again, and has what may change while a host runs take effect; all of it, or, where
  /// anything is wrong, nothing. The log says what came of it.
  ConfigReload reload();
  /// What is in effect.
  std::shared_ptr<const Config> config() const { return live_.now(); }
  /// Has `tell` called once the first scan is over and the node has joined: the start is over, though services of
  /// readiness.require may be missing. On any of the host's threads, or at once; never where the host is refused, or
  /// stops first.
  void when_ready(std::function<void()> tell);
  /// How it is, in a line for people.
  std::string summary() const;
  /// Its threads that have not turned since this was last asked, each of which is then to. Not among them: those
  /// that run handlers or plugins' starts, which may take as long as they want. Until `stop`. Threads: one at a time.
  std::vector<std::string_view> stuck_threads();
  /// Has one plugin loaded, unloaded, reloaded or rolled back (PluginManager::order).
  void order(Order order) { plugins_.order(std::move(order)); }
  /// What goes on: calls that are served here, and those from here to other nodes; the oldest first.
  std::vector<CallRow> calls() { return node_.dispatcher().calls(); }

  /// Ends in order: no new calls from outside; calls under way have `shutdown.timeout`; plugins stop in the reverse
  /// order of their loading; the other nodes are told goodbye; threads end; the directories are given back, unless
  /// handlers still run. A second call does nothing.
  Stopped stop();

  Node& node() noexcept { return node_; }
  Dispatcher& dispatcher() noexcept { return node_.dispatcher(); }
  registry::Registry& registry() noexcept { return node_.registry(); }
  EventStream& events() noexcept { return node_.events(); }
  PluginManager& plugins() noexcept { return plugins_; }

 private:
  void tell_of_last_end() const;
  void listen_for_http();
  void begin();
  AdminHooks admin_hooks();
  nlohmann::json plugin_list() const;
  nlohmann::json status() const;
  nlohmann::json stats();
  Liveness::Threads threads();

  const Config config_;  // that it was started with; what may change is in `live_`
  LiveConfig live_;
  const Logs logs_;
  const Logger log_;
  const DescriptorLimit descriptors_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();

  DirectoryLock run_lock_;
  DirectoryLock cache_lock_;
  CrashMarker marker_;
  const std::shared_ptr<EventHistory> history_ = std::make_shared<EventHistory>();
  Node node_;
  Readiness readiness_;  // of the plugins, which tell of changes until they have ended
  ReadinessLog readiness_log_;
  PluginManager plugins_;
  QueryServer queries_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<HttpServer> http_;  // null: not configured
  bool stopped_ = false;
  Liveness watched_{threads(), {}};  // by whom `stuck_threads` tells
};

}  // namespace busbar::host
