// Where a host answers its command line: a Unix socket in the run directory, open to the host's own user alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "dispatch/dispatcher.hpp"
#include "events/event_history.hpp"
#include "log/log.hpp"

namespace busbar::host {

/// The admin socket cannot be opened, with the reason in words.
class AdminError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the server asks the host. Each document is what the command line shows with `--json`
/// (docs: interfaces, "The command line").
/// Threads: called on the server's own thread, which all clients share: they must be quick and must not wait.
/// Errors: what they throw is told to the client as `internal`.
struct AdminHooks {
  std::function<nlohmann::json(CallerIs)> services;  ///< {"services": […]}: those that such a caller can call
  std::function<nlohmann::json()> nodes;             ///< {"nodes": […]}
  std::function<nlohmann::json()> plugins;           ///< {"plugins": […]}
  std::function<nlohmann::json()> status;            ///< {"node": …, "version": …, …}

  /// The last events, or those after `after`.
  std::function<EventHistory::Page(const EventHistory::Cursor* after)> events;

  /// Has the plugin directory scanned, and then calls `done`, once and from any thread, with {"plugins": […]} as it is
  /// afterwards. A host that stops first need not call it.
  std::function<void(std::function<void(nlohmann::json)> done)> rescan;

  std::function<nlohmann::json()> config;         ///< {"file": …, "keys": […], …}: what is in effect
  std::function<nlohmann::json()> reload_config;  ///< reads it again; {"reloaded": …, "changed": […], …}

  /// {"calls": […]}: what goes on, the oldest first.
  std::function<nlohmann::json()> calls;

  /// What was counted of calls, and what there is now (admin/stats_document.hpp); with {"plugins": […]} in it.
  std::function<nlohmann::json()> stats;

  /// Has a plugin loaded, unloaded, reloaded or rolled back (`verb`), and then calls `done`, once and from any thread:
  /// with why it could not be, or with nothing and {"plugins": […]} of that file. A host that stops first need not.
  std::function<void(std::string_view verb, const std::string& plugin,
                     std::function<void(const std::string& problem, nlohmann::json document)> done)>
      order;

  /// {"level": …, "parts": […]}: from which level on what is logged (log_levels_document).
  std::function<nlohmann::json()> log_levels;
  /// Sets one (set_log_level): why it could not be done, or nothing.
  std::function<std::string(const std::string& part, const std::string& level)> set_log_level;

  /// Whether the first scan is over; every verb but `status` waits for it. Asked once, by the server's constructor.
  std::function<bool()> ready;
  /// Has `tell` called, once and from any thread, when the first scan is over; at once where it is over by now. Asked
  /// for once, by the server's constructor, if it was not `ready`. A host that stops first need not call it.
  std::function<void(std::function<void()> tell)> when_ready;

  /// What this host knows of a service that it offers itself to such a caller; nothing where it does not.
  std::function<std::optional<nlohmann::json>(std::string_view service, CallerIs)> describe;
};

struct AdminOptions {
  std::size_t max_message = 64 * 1024 * 1024;  ///< bytes; a frame may have a little more
  std::size_t max_connections = 256;
  std::size_t max_requests = 64;  ///< under way on one connection at a time
  /// A connection on which nothing is under way may be closed in favour of a new one when it has been silent for this
  /// long; only at the maximum.
  std::chrono::milliseconds idle_grace{5'000};
};

/// Serves from its construction to `stop`.
/// Ownership: the dispatcher, and what the hooks refer to, outlive `stop`. What is still called afterwards of the
/// functions that the server gave away (`done`, `tell`, a dispatch's callback) does nothing.
/// Threads: one of its own, "busbar-admin", on which inline services run too. `stop` from any other.
class AdminServer {
 public:
  /// Binds `socket` (mode 0600 from its first moment), in place of a socket that a killed host has left there.
  /// The directory belongs to this host: its lock is held.
  /// Errors: AdminError; std::system_error where the thread cannot be started.
  AdminServer(std::filesystem::path socket, Dispatcher& dispatcher, AdminHooks hooks, Logger log,
              AdminOptions options = {});
  /// Stops at once.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// How often its thread has turned because it was to; and what has it turn once more, without waiting for that.
  std::uint64_t turns() const noexcept;
  void have_turn();
  /// The first half of `stop`, without waiting: from a moment later on no new requests are taken.
  void wind_down(std::chrono::milliseconds grace);
  /// Takes no new connections and requests; gives those under way `grace` to be answered, and then answers for them
  /// that the host is stopping, and cancels their calls. On return the socket is gone and the thread has ended.
  /// A second call does nothing.
  void stop(std::chrono::milliseconds grace = {});

 private:
  class Core;
  std::shared_ptr<Core> core_;  // shared with functions that may be called after the end
};

}  // namespace busbar::host
