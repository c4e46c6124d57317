// Whole hosts on this machine as one cluster: how soon all know all, what they cost at rest, how soon a change is known
// everywhere, and how many peers one host can have.
//
// usage: cluster_bench [--only start|changes|peers] [--nodes N] [--rounds N] [--idle S] [--changes N] [--peers N]
//                      [--descriptors N]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cluster/cluster.hpp"

int main(int argc, char** argv) {
  bench::ClusterOptions options;
  std::string serve, name, directory, seed;
  int count = 0;
  CLI::App app("Measures a cluster of whole hosts on this machine.", "cluster_bench");
  app.add_option("--only", options.only, "One figure alone")->check(CLI::IsMember({"start", "changes", "peers"}));
  app.add_option("--nodes", options.nodes, "How many hosts");
  app.add_option("--rounds", options.rounds, "How often they are started, at least 5 for a figure");
  app.add_option("--idle", options.idle_s, "For how many seconds their CPU is looked at");
  app.add_option("--changes", options.changes, "Changes of services in each round");
  app.add_option("--peers", options.most_peers, "The most peers of one host that are tried");
  app.add_option("--descriptors", options.descriptors, "How many that host may have open");
  // Below: by itself, to start other processes.
  app.add_option("--serve", serve)->group("");
  app.add_option("--name", name)->group("");
  app.add_option("--directory", directory)->group("");
  app.add_option("--seed", seed)->group("");
  app.add_option("--count", count)->group("");
  CLI11_PARSE(app, argc, argv);
  if (serve == "host") bench::serve_watching_host(name, directory, seed);
  if (serve == "crowd") bench::serve_crowd(count, seed);

  std::printf("%u processors, %d rounds\n", std::thread::hardware_concurrency(), options.rounds);
  const auto wanted = [&](const char* figure) { return options.only.empty() || options.only == figure; };
  if (wanted("start")) bench::measure_start_and_rest(options);
  if (wanted("changes")) bench::measure_changes(options);
  if (wanted("peers")) bench::measure_peers(options);
  return EXIT_SUCCESS;
}
