// Where the host listens, and the seeds that it joins through.
#include <busbar/registry/net/address.hpp>
#include <busbar/registry/net/resolver.hpp>

#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

#include "doctor/examined.hpp"
#include "doctor/sockets.hpp"

namespace busbar::host::doctor {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kCheck = "ports";
constexpr const char* kSeeds = "seeds";
constexpr milliseconds kPatience{2'000};

void check_free(const char* key, const std::string& address, Findings& findings) {
  const std::string why = why_not_bound(address);
  if (why.empty()) return findings.ok(kCheck, address, std::string("the host can listen there (") + key + ")");
  findings.problem(kCheck, address, "nothing can listen there: " + why,
                   std::string("a free port at an address of this machine, for ") + key,
                   "end who has it (ss -ltnp shows who), or set " + std::string(key));
}

// Without a connection, of which the host would have to note that nobody said who it was.
void check_open(const std::string& text, Findings& findings) {
  if (!why_not_bound(text).empty()) return findings.ok(kCheck, text, "the host listens there");
  findings.problem(kCheck, text, "the host says that it listens there, but nobody does", "a port that is taken",
                   "restart the host");
}

/// What the names among the seeds stand for; those that are not found out in time have an error.
std::map<std::string, registry::net::Resolved> resolve(const std::vector<std::string>& seeds) {
  struct Bell {
    std::mutex mutex;
    std::condition_variable rung;
    bool is_rung = false;
  };
  const auto bell = std::make_shared<Bell>();
  registry::net::Resolver resolver(registry::net::look_up, [bell] {
    const std::lock_guard lock(bell->mutex);
    bell->is_rung = true;
    bell->rung.notify_all();
  });
  std::map<std::string, registry::net::Resolved> out;
  const auto until = steady_clock::now() + kPatience;
  for (bool late = false; !late;) {
    std::size_t missing = 0;
    for (const std::string& seed : seeds) {
      if (!registry::net::has_name(seed) || out.contains(seed)) continue;
      const auto found = resolver.ask(seed);
      if (found) out[seed] = *found;
      if (!found) ++missing;
    }
    if (missing == 0) return out;
    std::unique_lock lock(bell->mutex);
    late = !bell->rung.wait_until(lock, until, [&] { return bell->is_rung; });
    bell->is_rung = false;
  }
  for (const std::string& seed : seeds) {
    if (registry::net::has_name(seed) && !out.contains(seed)) out[seed].error = "its name takes long to be looked up";
  }
  return out;
}

std::string why_not_reached(const std::vector<std::string>& addresses) {
  std::string why;
  for (const std::string& address : addresses) {
    const std::string reason = why_not_connected(address, kPatience);
    if (reason.empty()) return {};
    why += (why.empty() ? "" : "; ") + address + ": " + reason;
  }
  return why;
}

/// A node that the host is connected to need not be dialled for that.
bool is_of_peer(const Examined& host, const std::string& seed) {
  for (const auto& row : host.answer("/views/views/0/nodes")) {
    if (row.value("registry_address", "") == seed && row.value("state", "") == "up") return true;
  }
  return false;
}

bool is_own(const Examined& host, const std::string& seed) {
  const auto& cluster = host.config.cluster;
  return seed == cluster.registry_listen || host.answer("/status/cluster/registry_address") == seed ||
         (!cluster.advertise.empty() && seed == registry::net::with_host(cluster.registry_listen, cluster.advertise));
}

}  // namespace

void check_ports(const Examined& host, Findings& findings) {
  if (host.is_running()) {
    for (const char* where : {"/status/cluster/bound_address", "/status/cluster/bound_registry_address"}) {
      if (const auto address = host.answer(where); address.is_string()) check_open(address, findings);
    }
    const auto http = host.answer("/status/http/address");
    if (http.is_string() && http != "") check_open("tcp://" + http.get<std::string>(), findings);
  } else if (host.pid == 0) {  // else they are that host's
    check_free("cluster.listen", host.config.cluster.listen, findings);
    check_free("cluster.registry_listen", host.config.cluster.registry_listen, findings);
    if (!host.config.http.listen.empty()) check_free("http.listen", "tcp://" + host.config.http.listen, findings);
  }
}

void check_seeds(const Examined& host, Findings& findings) {
  const std::vector<std::string>& seeds = host.config.cluster.join;
  if (seeds.empty()) return findings.ok(kSeeds, "cluster.join", "none: others join through this host");
  const auto names = resolve(seeds);
  std::vector<std::pair<std::string, std::string>> failed;
  for (const std::string& seed : seeds) {
    const auto name = names.find(seed);
    std::string why;
    if (is_own(host, seed)) {
      findings.ok(kSeeds, seed, "this node itself");
      continue;
    }
    if (is_of_peer(host, seed)) {
      findings.ok(kSeeds, seed, "a node that this one is connected to");
      continue;
    }
    if (name != names.end() && name->second.addresses.empty()) {
      why = "its name cannot be looked up: " + name->second.error;
    } else {
      why = why_not_reached(name != names.end() ? name->second.addresses : std::vector{seed});
    }
    if (why.empty()) {
      findings.ok(kSeeds, seed, "somebody takes connections there");
    } else {
      failed.emplace_back(seed, why);
    }
  }
  const bool nobody = failed.size() == seeds.size();
  for (const auto& [seed, why] : failed) {
    constexpr const char* expected = "the registry of a node that runs";
    constexpr const char* advice =
        "start that node, mend its name or the way to it, or correct cluster.join (busbar status shows a node's "
        "registry address)";
    if (nobody) {
      findings.problem(kSeeds, seed, "nobody answers there, nor at any other seed: " + why, expected, advice);
    } else {
      findings.warning(kSeeds, seed, "nobody answers there: " + why, expected, advice);
    }
  }
}

}  // namespace busbar::host::doctor
