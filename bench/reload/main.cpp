// A plugin that is replaced while it serves: how soon the newer one answers, and what callers notice meanwhile.
//
// usage: reload_bench [--only answer|calls] [--rounds N] [--reloads N] [--seconds N] [--every MS]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "reload/reload.hpp"

int main(int argc, char** argv) {
  bench::ReloadOptions options;
  CLI::App app("Measures what it takes to replace a plugin, and what callers notice.", "reload_bench");
  app.add_option("--only", options.only, "One figure alone")->check(CLI::IsMember({"answer", "calls"}));
  app.add_option("--rounds", options.rounds, "Rounds, at least 5 for a figure");
  app.add_option("--reloads", options.reloads, "Reloads of each round of the first figure");
  app.add_option("--seconds", options.seconds, "How long each round of calls takes");
  app.add_option("--every", options.every_ms, "Milliseconds from one reload to the next while there are calls");
  CLI11_PARSE(app, argc, argv);

  std::printf("%u processors, %d rounds\n", std::thread::hardware_concurrency(), options.rounds);
  if (options.only.empty() || options.only == "answer") bench::measure_first_answer(options);
  if (options.only.empty() || options.only == "calls") bench::measure_calls_meanwhile(options);
  return EXIT_SUCCESS;
}
