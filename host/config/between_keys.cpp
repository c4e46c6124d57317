#include "config/between_keys.hpp"

#include <array>
#include <filesystem>
#include <utility>

#include <busbar/registry/net/address.hpp>

#include "config/keys.hpp"
#include "config/units.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

namespace fs = std::filesystem;

class Checks {
 public:
  explicit Checks(const Config& config) : config_(config) {}

  std::vector<ConfigFault> run() {
    check_threads();
    check_paths();
    check_addresses();
    check_http();
    check_keys();
    check_connections();
    check_heartbeat();
    return std::move(faults_);
  }

 private:
  void fault(std::string text) { faults_.push_back({std::move(text)}); }
  std::string origin_of(const char* section, const char* name) const { return host::origin_of(config_, section, name); }

  void check_threads();
  void check_paths();
  void check_addresses();
  void check_http();
  void check_keys();
  void check_connections();
  void check_heartbeat();

  const Config& config_;
  std::vector<ConfigFault> faults_;
};

void Checks::check_threads() {
  const auto& pool = config_.pool;
  if (pool.threads > pool.max_threads) {
    fault("could not use the configuration: pool.threads is " + std::to_string(pool.threads) + " (" +
          origin_of("pool", "threads") + "), pool.max_threads is " + std::to_string(pool.max_threads) + " (" +
          origin_of("pool", "max_threads") + "), expected at most as many threads as max_threads");
  }
}

/// Each of these directories is emptied, locked or scanned by its own rules, so that none can be another one.
void Checks::check_paths() {
  const auto& paths = config_.paths;
  const std::array<std::pair<const char*, const fs::path*>, 4> all = {
      {{"plugins", &paths.plugins}, {"run", &paths.run}, {"state", &paths.state}, {"cache", &paths.cache}}};
  const auto plain = [](const fs::path& path) { return path.has_filename() ? path : path.parent_path(); };
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      if (all[i].second->empty() || plain(*all[i].second) != plain(*all[j].second)) continue;
      fault("could not use the configuration: paths." + std::string(all[i].first) + " (" +
            origin_of("paths", all[i].first) + ") and paths." + all[j].first + " (" + origin_of("paths", all[j].first) +
            ") are both " + in_quotes(all[i].second->native()) + ", expected different directories");
    }
  }
}

/// Closed by default: without keys nothing tells a friend from a stranger.
void Checks::check_addresses() {
  const auto& cluster = config_.cluster;
  if (cluster.insecure || config_.security.mode == "curve") return;
  const auto check = [&](const char* key, const std::string& address) {
    if (registry::net::is_local_address(address)) return;
    fault(
        "could not use the configuration: cluster." + std::string(key) + " (" + origin_of("cluster", key) + ") is " +
        in_quotes(address) +
        ", expected a loopback address, because without keys calls between machines are neither encrypted nor do "
        "nodes prove who they are (hint: make keys with \"busbar keygen\" and set security.mode = \"curve\"; only on a "
        "network where you trust everybody, say --insecure or cluster.insecure = true)");
  };
  check("listen", cluster.listen);
  check("registry_listen", cluster.registry_listen);
  for (const std::string& seed : cluster.join) check("join", seed);
}

/// Keys do not help here: what is asked over HTTP is never encrypted.
void Checks::check_http() {
  const auto& http = config_.http;
  if (http.insecure || http.listen.empty() || registry::net::is_local_address("tcp://" + http.listen)) return;
  fault("could not use the configuration: http.listen (" + origin_of("http", "listen") + ") is " +
        in_quotes(http.listen) +
        ", expected a loopback address, because what is asked over HTTP is neither encrypted nor is anybody asked who "
        "they are (hint: let a proxy on this machine ask for credentials; only on a network where you trust everybody, "
        "say http.insecure = true)");
}

/// Nobody shall think that keys are asked for where they are not.
void Checks::check_keys() {
  if (config_.security.mode == "curve" && config_.cluster.insecure) {
    fault("could not use the configuration: cluster.insecure (" + origin_of("cluster", "insecure") +
          ") is true and security.mode (" + origin_of("security", "mode") +
          ") is \"curve\", expected one of them: with keys, addresses of other machines may be used anyway");
  }
}

void Checks::check_heartbeat() {
  const auto& times = config_.registry;
  if (times.lost_after >= 2 * times.heartbeat) return;
  fault("could not use the configuration: registry.lost_after is " + format_duration(times.lost_after) + " (" +
        origin_of("registry", "lost_after") + "), registry.heartbeat is " + format_duration(times.heartbeat) + " (" +
        origin_of("registry", "heartbeat") + "), expected lost_after to be at least twice heartbeat");
}

/// Otherwise a cluster that is allowed to be so large could never be whole.
void Checks::check_connections() {
  const unsigned connections = config_.limits.door.connections;
  if (connections >= config_.registry.max_peers) return;
  fault("could not use the configuration: limits.connections is " + std::to_string(connections) + " (" +
        origin_of("limits", "connections") + "), registry.max_peers is " + std::to_string(config_.registry.max_peers) +
        " (" + origin_of("registry", "max_peers") + "), expected at least as many connections as peers");
}

}  // namespace

std::vector<ConfigFault> faults_between_keys(const Config& config) { return Checks(config).run(); }

std::string origin_of(const Config& config, std::string_view section, std::string_view name) {
  const auto found = config.origins.find(full_name(*find_key(section, name)));
  return found != config.origins.end() ? found->second.where : "the default";
}

}  // namespace busbar::host
