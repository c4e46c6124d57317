// How many peers one host can have, and what each costs it: a host, and a crowd of peers in another process, twice as
// many each time, until it does not get to know them all.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "cluster/cluster.hpp"
#include "cluster/daemon.hpp"

namespace bench {

namespace {

constexpr Nanos kLimit = 90 * kSecond;

int peers_up(const Daemon& host) {
  const nlohmann::json rows = host.ask(busbar::wire::admin_verb::kNodes)["nodes"];
  return static_cast<int>(
      std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row["state"] == "up"; }));
}

// Seconds until the host knows all of the crowd, or until the limit.
double wait_for_crowd(const Daemon& host, int count) {
  const Nanos begun = now_ns();
  while (peers_up(host) < count && now_ns() - begun < kLimit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return static_cast<double>(now_ns() - begun) / kSecond;
}

void limit_descriptors(pid_t pid, int most) {
  if (most == 0) return;
  const rlimit limit{static_cast<rlim_t>(most), static_cast<rlim_t>(most)};
  if (::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) != 0) std::perror("prlimit");
}

// Whether the host got to know all of them.
bool measure_one(const ClusterOptions& options, int count) {
  const ClusterDirectory directory;
  const std::string seed = free_address();
  const Daemon host("host", directory.add("host"), {"--registry-listen", seed});
  limit_descriptors(host.pid(), options.descriptors);
  host.ask(busbar::wire::admin_verb::kNodes);  // it is ready
  ServerProcess crowd({own_program(), "--serve", "crowd", "--count", std::to_string(count), "--seed", seed});
  crowd.line();
  const double took = wait_for_crowd(host, count);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const int up = peers_up(host);
  const Nanos before = cpu_time(host.pid()), begun = now_ns();
  std::this_thread::sleep_for(std::chrono::seconds(options.idle_s));
  const double cpu = 100 * static_cast<double>(cpu_time(host.pid()) - before) / static_cast<double>(now_ns() - begun);
  const Resources found = resources_of(host.pid());
  std::printf("%6d  %6d  %8.2f  %9.2f  %11.1f  %7.1f  %7d  %11d\n", count, up, took, cpu, found.resident_mb,
              found.own_mb, found.threads, found.descriptors);
  std::fflush(stdout);
  return up == count;
}

}  // namespace

void measure_peers(const ClusterOptions& options) {
  ::setenv("BUSBAR_REGISTRY__MAX_PEERS", std::to_string(options.most_peers).c_str(), 1);  // of the host
  std::printf("\npeers of one host%s\n", options.descriptors == 0 ? "" : ", with a limit of descriptors");
  std::printf(" peers      up  s to all  CPU, %% 1  resident MB   own MB  threads  descriptors\n");
  for (int count = 20; count <= options.most_peers && measure_one(options, count); count *= 2) continue;
}

}  // namespace bench
