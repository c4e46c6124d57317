// Calls between two processes against raw libzmq messages between two processes, in alternating rounds: latency,
// throughput and CPU; how soon a new service is known elsewhere; how soon a killed provider's callers know.
//
// usage: remote_bench [--only NAME] [--row TEXT] [--rounds N] [--ms N] [--calls N]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "remote/figures.hpp"
#include "remote/host_server.hpp"
#include "remote/side.hpp"

int main(int argc, char** argv) {
  bench::RemoteOptions options;
  std::string serve, directory, keys;
  CLI::App app("Measures calls between two processes against their floors.", "remote_bench");
  app.add_option("--only", options.only, "One figure alone")
      ->check(CLI::IsMember({"latency", "explained", "throughput", "curve", "strangers", "cpu", "known", "killed"}));
  app.add_option("--row", options.row, "Only rows with this in \"ROW, PLACEMENT\"");
  app.add_option("--rounds", options.rounds, "Alternating rounds, at least 5 for a figure");
  app.add_option("--ms", options.ms, "How long each round takes with one call at a time");
  app.add_option("--calls", options.calls, "Calls of each round with 64 under way");
  // Below: by itself, to start the other process.
  app.add_option("--serve", serve)->group("");
  app.add_option("--directory", directory)->group("");
  app.add_option("--keys", keys)->group("");
  CLI11_PARSE(app, argc, argv);
  if (serve == "raw") bench::serve_raw(keys);
  if (serve == "host") bench::serve_host(directory, keys);
  if (serve == "strangers") return bench::serve_strangers(keys), EXIT_SUCCESS;
  if (serve == "announcer") return bench::serve_announcer(), EXIT_SUCCESS;

  std::printf("%u processors, %d rounds\n", std::thread::hardware_concurrency(), options.rounds);
  const auto wanted = [&](const char* name) { return options.only.empty() || options.only == name; };
  if (wanted("latency")) bench::measure_remote_latency(options);
  if (wanted("explained")) bench::measure_explained(options);
  if (wanted("throughput")) bench::measure_remote_throughput(options);
  if (wanted("curve")) bench::measure_curve(options);
  if (wanted("strangers")) bench::measure_strangers(options);
  if (wanted("cpu")) bench::measure_remote_cpu(options);
  if (wanted("known")) bench::measure_known(options);
  if (wanted("killed")) bench::measure_killed(options);
}
