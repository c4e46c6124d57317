// From cold: all hosts are started at once, joined through one of them, until each knows all others as up, with all of
// their services. Then what they cost while nothing happens.
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "cluster/cluster.hpp"
#include "cluster/daemon.hpp"

namespace bench {

namespace {

struct Hosts {
  explicit Hosts(int count) {
    const std::string seed = free_address();
    std::vector<std::filesystem::path> directories;
    for (int i = 0; i < count; ++i) directories.push_back(directory.add(name(i)));
    begun = now_ns();
    for (int i = 0; i < count; ++i) {
      all.push_back(std::make_unique<Daemon>(
          name(i), directories[i],
          i == 0 ? std::vector<std::string>{"--registry-listen", seed} : std::vector<std::string>{"--join", seed}));
    }
  }
  static std::string name(int i) { return "n" + std::to_string(i); }

  const ClusterDirectory directory;
  Nanos begun = 0;
  std::vector<std::unique_ptr<Daemon>> all;
};

// Whether this host sees so many, all up, each with as many services as itself.
bool is_whole(const Daemon& host, int count) {
  const nlohmann::json rows = host.ask(busbar::wire::admin_verb::kNodes)["nodes"];
  const auto& services = rows[0]["services"];
  const bool loaded = services.get<int>() >= kExamplePlugins;
  return loaded && static_cast<int>(rows.size()) == count &&
         std::all_of(rows.begin(), rows.end(), [&](const auto& row) {
           return (row["state"] == "up" || row["state"] == "self") && row["services"] == services;
         });
}

// One host after the other is asked until it knows all; it answers when it is ready, and not before.
double seconds_until_whole(const Hosts& hosts) {
  for (const auto& host : hosts.all) {
    while (!is_whole(*host, static_cast<int>(hosts.all.size()))) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  return static_cast<double>(now_ns() - hosts.begun) / kSecond;
}

// In percent of one processor, of each host.
std::vector<double> cpu_at_rest(const Hosts& hosts, int seconds) {
  std::vector<Nanos> before;
  for (const auto& host : hosts.all) before.push_back(cpu_time(host->pid()));
  const Nanos begun = now_ns();
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  std::vector<double> out;
  for (std::size_t i = 0; i < hosts.all.size(); ++i) {
    const auto used = static_cast<double>(cpu_time(hosts.all[i]->pid()) - before[i]);
    out.push_back(100 * used / static_cast<double>(now_ns() - begun));
  }
  return out;
}

void print(const char* what, const std::vector<double>& values, const char* unit, const char* asked = "") {
  std::printf("%-34s median %7.2f %s, most %7.2f %s   %s\n", what, median(values), unit,
              *std::max_element(values.begin(), values.end()), unit, asked);
}

void print_resources(const Hosts& hosts) {
  std::vector<double> resident, own, proportional, threads, descriptors;
  for (const auto& host : hosts.all) {
    const Resources found = resources_of(host->pid());
    resident.push_back(found.resident_mb);
    own.push_back(found.own_mb);
    proportional.push_back(found.proportional_mb);
    threads.push_back(found.threads);
    descriptors.push_back(found.descriptors);
  }
  print("  resident memory", resident, "MB");
  print("  of it shared with nobody", own, "MB");
  print("  with its part of what is shared", proportional, "MB");
  print("  threads", threads, "  ");
  print("  descriptors", descriptors, "  ");
}

}  // namespace

void measure_start_and_rest(const ClusterOptions& options) {
  std::vector<double> starts, cpu;
  std::unique_ptr<Hosts> hosts;
  for (int round = 0; round < options.rounds; ++round) {
    hosts.reset();
    hosts = std::make_unique<Hosts>(options.nodes);
    starts.push_back(seconds_until_whole(*hosts));
    std::this_thread::sleep_for(std::chrono::seconds(2));
    for (const double of_one : cpu_at_rest(*hosts, options.idle_s)) cpu.push_back(of_one);
  }
  std::printf("\n%d hosts with %d plugins each, joined through one, started %d times\n", options.nodes, kExamplePlugins,
              options.rounds);
  print("from cold to all knowing all", starts, "s ", "under 3 s");
  print("then at rest: CPU of each", cpu, "% ", "under 1 %");
  print_resources(*hosts);
  std::fflush(stdout);
}

}  // namespace bench
