// What the system allows the host to have: descriptors, threads, processors.
#include <sys/resource.h>
#include <unistd.h>
#include <busbar/registry/net/capacity.hpp>

#include <cmath>
#include <fstream>
#include <limits>

#include "daemon/descriptor_limit.hpp"
#include "doctor/cgroup.hpp"
#include "doctor/examined.hpp"

namespace busbar::host::doctor {

namespace {

constexpr const char* kCheck = "limits";
constexpr unsigned kOtherThreads = 40;  // beside the pool's: the host's own, and some of plugins

/// The hard limit, which the host raises the soft one to: of the host that runs, else of who asks.
rlim_t limit_of(const Examined& host, __rlimit_resource resource) {
  rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  if (host.pid == 0 || ::prlimit(host.pid, resource, nullptr, &limit) != 0) ::getrlimit(resource, &limit);
  return limit.rlim_max;
}

std::string number(rlim_t limit) { return limit == RLIM_INFINITY ? "any number" : std::to_string(limit); }

void check_descriptors(const Examined& host, Findings& findings) {
  const auto& config = host.config;
  const rlim_t allowed = limit_of(host, RLIMIT_NOFILE);
  const std::size_t needed = registry::net::descriptors_for(config.registry.max_peers, config.limits.door.strangers);
  const std::string found = number(allowed) + " are allowed";
  constexpr const char* advice =
      "raise the hard limit: ulimit -Hn, or LimitNOFILE= of the systemd unit; or lower registry.max_peers and "
      "limits.strangers";
  if (allowed < kLeastDescriptors) {
    findings.problem(kCheck, "descriptors", found,
                     "at least " + std::to_string(kLeastDescriptors) + ", which the host takes by itself", advice);
  } else if (allowed < needed) {
    findings.warning(kCheck, "descriptors", found,
                     std::to_string(needed) +
                         ", for registry.max_peers = " + std::to_string(config.registry.max_peers) +
                         " and limits.strangers = " + std::to_string(config.limits.door.strangers),
                     advice);
  } else {
    findings.ok(kCheck, "descriptors", found + ", " + std::to_string(needed) + " may be needed");
  }
}

void check_threads(const Examined& host, const CgroupLimits& group, Findings& findings) {
  const unsigned long long needed = host.config.pool.max_threads + kOtherThreads;
  unsigned long long allowed = group.pids.value_or(std::numeric_limits<unsigned long long>::max());
  if (::geteuid() != 0) allowed = std::min<unsigned long long>(allowed, limit_of(host, RLIMIT_NPROC));  // root has none
  if (allowed >= needed)
    return findings.ok(kCheck, "threads",
                       "enough are allowed for pool.max_threads = " + std::to_string(host.config.pool.max_threads));
  findings.warning(
      kCheck, "threads", std::to_string(allowed) + " are allowed",
      "at least " + std::to_string(needed) + ", for pool.max_threads = " + std::to_string(host.config.pool.max_threads),
      "raise ulimit -u, or TasksMax= of the systemd unit; or lower pool.max_threads");
}

void check_processors(const Examined& host, const CgroupLimits& group, Findings& findings) {
  const unsigned threads = host.config.pool.threads;
  if (!group.cpus || threads <= std::ceil(*group.cpus)) {
    return findings.ok(kCheck, "processors",
                       "pool.threads = " + std::to_string(threads) + " have processors to run on");
  }
  const auto fitting = static_cast<unsigned>(std::ceil(*group.cpus));
  findings.warning(kCheck, "processors",
                   "the control group gives this host the time of " + std::to_string(*group.cpus) +
                       " processors, and pool.threads = " + std::to_string(threads),
                   "at most as many threads, else all stand still together when the time is used up",
                   "set pool.threads = " + std::to_string(fitting) + ", or raise the group's cpu.max");
}

}  // namespace

void check_limits(const Examined& host, Findings& findings) {
  check_descriptors(host, findings);
  const CgroupLimits group = cgroup_limits(host.pid != 0 ? host.pid : ::getpid());
  check_threads(host, group, findings);
  check_processors(host, group, findings);
}

}  // namespace busbar::host::doctor
