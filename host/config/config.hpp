// A host's configuration: defaults, then the file, then the environment, then flags, each overriding the one before.
#pragma once

#include "log/level.hpp"

#include <busbar/limits.hpp>
#include <busbar/registry/net/door.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::host {

/// Where a value came from, where that is not its default.
struct ConfigOrigin {
  enum class Kind : std::uint8_t { file, environment, flag };
  Kind kind = Kind::file;
  std::string where;      /* in words: `line 7 of "/etc/busbar.toml"`, `BUSBAR_POOL__QUEUE`, `--node` */
  std::uint32_t line = 0; /* of the file */
};
std::string_view name_of(ConfigOrigin::Kind kind) noexcept;

/// What a host is told. Every member is named, explained and given its default in `config/busbar.toml`.
/// The empty and zero defaults here depend on the machine or the user; `load_config` fills them in.
struct Config {
  std::string node;

  struct Cluster {
    std::string name = "busbar";
    std::vector<std::string> join;
    std::string listen = "tcp://127.0.0.1:*";
    std::string registry_listen = "tcp://127.0.0.1:*";
    std::string advertise; /* empty: the host that is listened at */
    bool insecure = false;
  } cluster;

  struct Security {
    std::string mode = "none"; /* or "curve" */
    std::filesystem::path key; /* /etc/busbar/keys/NAME.key */
    std::filesystem::path authorized = "/etc/busbar/authorized";
  } security;

  struct Registry {
    std::chrono::milliseconds heartbeat{1'000};
    std::chrono::milliseconds lost_after{3'000};
    unsigned max_peers = kUsualMaxPeers;
  } registry;

  struct Paths { /* absolute after `load_config` */
    std::filesystem::path plugins = "/usr/lib/busbar/plugins";
    std::filesystem::path run;   /* $XDG_RUNTIME_DIR/busbar, else /run/busbar */
    std::filesystem::path state; /* root: /var/lib/busbar; others: $XDG_STATE_HOME/busbar, else ~/.local/state/busbar */
    std::filesystem::path cache; /* the state directory's `cache` */
  } paths;

  struct Plugins {
    std::chrono::milliseconds trial_timeout{5'000};
    std::chrono::milliseconds drain_timeout{30'000};
    std::chrono::milliseconds handover_timeout{1'000};
    unsigned max_crashes = 3;
    bool auto_rollback = true;
    unsigned max_retired = 20;
    bool allow_world_writable = false;
    std::string watch = "auto"; /* or "inotify", or "poll" */
  } plugins;

  struct Pool {
    unsigned threads = 0; /* the machine's cores, at most `max_threads` */
    unsigned max_threads = 256;
    unsigned queue = 10'000;
  } pool;

  struct Shutdown {
    std::chrono::milliseconds timeout{10'000};
  } shutdown;

  LogSettings log;

  struct Http {
    std::string listen; /* empty: nowhere */
    bool insecure = false;
  } http;

  struct Readiness {
    std::vector<std::string> require; /* services */
  } readiness;

  struct Limits {
    std::size_t max_message = 64 * 1024 * 1024; /* bytes */
    std::size_t peer_queue = 64 * 1024 * 1024;  /* bytes */
    unsigned peer_calls = kUsualPeerCalls;
    registry::net::DoorLimits door;
  } limits;

  /// The tables `[plugin.NAME]` by NAME, for each plugin's `start`. TOML's dates and times are RFC 3339 text.
  std::map<std::string, nlohmann::json> plugin_tables;

  /// By section.key; a key that is not in it has its default.
  std::map<std::string, ConfigOrigin> origins;
};

/// One thing that is wrong, complete by itself.
struct ConfigFault {
  std::string text;
  std::uint32_t line = 0; /* of the file; 0: it is about no line of it */
  std::uint32_t column = 0;
};

/// Everything that is wrong with a configuration, in words.
/// `what()` is one fault a line, each complete by itself, such as
/// `could not read configuration "/etc/busbar.toml": line 7, column 1: unknown key "thread" in [pool]; nearest known
/// key: "threads"`.
class ConfigError : public std::runtime_error {
 public:
  explicit ConfigError(std::vector<ConfigFault> faults);
  const std::vector<ConfigFault>& faults() const noexcept { return faults_; }

 private:
  std::vector<ConfigFault> faults_;
};

/// What the defaults depend on, and the variables `BUSBAR_SECTION__KEY`. A value, so that tests need no real one.
struct Environment {
  std::map<std::string, std::string> variables;
  std::string host_name;
  bool root = false;
  unsigned cores = 1;
  std::filesystem::path directory{}; /* that relative paths of variables and flags begin at; empty: the current one */

  static Environment of_this_process();
};

/// One setting from the command line: `{"pool.threads", "4", "--threads"}`.
struct Override {
  std::string key;   /* section.key */
  std::string value; /* as text, as in the environment */
  std::string flag;  /* how an error calls it */
};
using Overrides = std::vector<Override>;

/// What a configuration is made of.
struct ConfigSource {
  std::optional<std::filesystem::path> file;
  Environment environment;
  Overrides overrides;
};

/// Reads and checks everything before anything of it is used.
/// Relative paths in the file are relative to the file's folder, others to the current one; all come out absolute.
/// A variable `BUSBAR_…` that has `__` in it, or is spelt nearly as a known one, must be a known one; others are
/// ignored, because not all of them are meant for us (Kubernetes sets `BUSBAR_SERVICE_HOST` for a service "busbar").
/// Errors: ConfigError with every fault of every layer.
Config load_config(const std::optional<std::filesystem::path>& file, const Environment& environment,
                   const Overrides& overrides);
inline Config load_config(const ConfigSource& source) {
  return load_config(source.file, source.environment, source.overrides);
}

/// The effective configuration, in the file's own shape and units: `{"pool": {"threads": 4, …}, …, "plugin": {…}}`.
/// What is no UTF-8 in a path (it may be any bytes) is shown as U+FFFD.
nlohmann::ordered_json to_json(const Config& config);
/// The table [log.levels] of it.
nlohmann::ordered_json log_levels_of(const Config& config);

}  // namespace busbar::host
