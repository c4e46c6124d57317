// How soon a change of one host's services is known to all others: from the moment before it is registered to the
// moment after the last of the others has found it. All read the same clock. A thread in each of them waits for what
// the registry publishes, so that nobody is asked for it, and the hosts do nothing else.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "cluster/cluster.hpp"
#include "cluster/daemon.hpp"
#include "config/config.hpp"
#include "daemon/host.hpp"

namespace bench {

namespace registry = busbar::registry;

namespace {

constexpr std::chrono::seconds kLimit{60};

std::string service_name(const std::string& number) { return "bench_known_" + number; }

bool found(const registry::Registry& registry, const std::string& service) {
  return registry.lookup(service, [](const registry::ServiceEntry* entry) { return entry != nullptr; });
}

// -- in a process of its own

bool is_up(const registry::NodeRow& row) {
  return row.state == registry::NodeState::up || row.state == registry::NodeState::self;
}

void wait_until_whole(const busbar::Node& node, std::size_t count) {
  for (;;) {
    const auto rows = node.nodes();
    if (rows.size() == count && std::all_of(rows.begin(), rows.end(), is_up)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// The service takes the place of the one before: one is added, one goes.
void offer(busbar::Node& node, const std::string& number) {
  const Nanos before = now_ns();
  node.registry().register_router("bench", {std::make_shared<registry::LocalProvider>(service_name(number), "bench",
                                                                                      registry::Visibility::public_)});
  say_to_starter(std::to_string(before));
}

void wait_for(busbar::Node& node, const std::string& number) {
  const std::string service = service_name(number);
  say_to_starter("waiting");
  const bool there = node.registry().wait_until(std::chrono::steady_clock::now() + kLimit,
                                                [&] { return found(node.registry(), service); });
  say_to_starter(there ? std::to_string(now_ns()) : "never");
}

}  // namespace

// Reads a word and a number in each line: `whole COUNT`, `offer N`, `await N`.
void serve_watching_host(const std::string& name, const std::string& directory, const std::string& seed) {
  const bool is_seed = seed.empty();
  Config config = load_config(std::nullopt, Environment::of_this_process(),
                              {{"node.name", name, "--node"},
                               {"paths.plugins", directory + "/plugins", "--plugins"},
                               {"paths.run", directory + "/run", "--run-dir"},
                               {"paths.state", directory + "/state", "--state-dir"},
                               {"log.level", "error", "--log-level"}});
  if (!is_seed) config.cluster.join = {seed};
  Host host(config, Logs(config.log), std::filesystem::path(own_program()).replace_filename("busbard"));
  say_to_starter(host.node().registry_address());
  for (std::string word, number; std::cin >> word >> number;) {
    if (word == "offer") offer(host.node(), number);
    if (word == "await") wait_for(host.node(), number);
    if (word != "whole") continue;
    wait_until_whole(host.node(), std::stoul(number));
    say_to_starter("whole");
  }
  std::_Exit(EXIT_SUCCESS);
}

// -- in the program that measures

namespace {

using Processes = std::vector<std::unique_ptr<ServerProcess>>;

Processes start_hosts(const ClusterDirectory& directory, int count) {
  Processes hosts;
  std::string seed;
  for (int i = 0; i < count; ++i) {
    const std::string name = "n" + std::to_string(i);
    hosts.push_back(std::make_unique<ServerProcess>(std::vector<std::string>{
        own_program(), "--serve", "host", "--name", name, "--directory", directory.add(name), "--seed", seed}));
    const std::string address = hosts.back()->line();
    if (i == 0) seed = address;
  }
  for (const auto& host : hosts) host->say("whole " + std::to_string(count));
  for (const auto& host : hosts) host->line();
  return hosts;
}

struct Change {
  double first_ms = 0;  // known to the first, to half of the others, to all
  double half_ms = 0;
  double all_ms = 0;
};

Change make_change(const Processes& hosts, std::size_t changed, const std::string& number) {
  const auto for_others = [&](const auto& body) {
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (i != changed) body(*hosts[i]);
    }
  };
  for_others([&](ServerProcess& host) { host.say("await " + number); });
  for_others([&](ServerProcess& host) { host.line(); });
  hosts[changed]->say("offer " + number);
  const Nanos before = std::stoll(hosts[changed]->line());
  std::vector<double> known;
  for_others([&](ServerProcess& host) {
    known.push_back(static_cast<double>(std::stoll(host.line()) - before) / kMillisecond);
  });
  std::sort(known.begin(), known.end());
  return {known.front(), known[known.size() / 2], known.back()};
}

}  // namespace

void measure_changes(const ClusterOptions& options) {
  std::vector<double> first, half, all;
  for (int round = 0; round < options.rounds; ++round) {
    const ClusterDirectory directory;
    const Processes hosts = start_hosts(directory, options.nodes);
    for (int i = 0; i < options.changes; ++i) {
      const Change change = make_change(hosts, static_cast<std::size_t>(i) % hosts.size(), std::to_string(i));
      first.push_back(change.first_ms);
      half.push_back(change.half_ms);
      all.push_back(change.all_ms);
    }
  }
  std::printf("\na change of one of %d hosts, %zu times in %d rounds\n", options.nodes, all.size(), options.rounds);
  const auto print = [](const char* what, const std::vector<double>& times, const char* asked) {
    std::printf("%-34s median %7.3f ms, most %7.3f ms   %s\n", what, median(times),
                *std::max_element(times.begin(), times.end()), asked);
  };
  print("known to the first of the others", first, "");
  print("known to half of them", half, "");
  print("known to all of them", all, "median under 20 ms");
  std::fflush(stdout);
}

}  // namespace bench
