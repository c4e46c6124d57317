// The figures of a cluster of whole hosts on this machine, and what they have in common.
#pragma once

#include <string>

#include "support.hpp"

namespace bench {

struct ClusterOptions {
  std::string only;
  int nodes = 20;
  int rounds = 5;
  int idle_s = 10;
  int changes = 50;  // of each round
  int most_peers = 1'280;
  int descriptors = 0;  // that the host with many peers may have; 0: as many as this process
};

void measure_start_and_rest(const ClusterOptions& options);
void measure_changes(const ClusterOptions& options);
void measure_peers(const ClusterOptions& options);

// What a process does that was started with `--serve host` or `--serve crowd`; neither returns.
[[noreturn]] void serve_watching_host(const std::string& name, const std::string& directory, const std::string& seed);
[[noreturn]] void serve_crowd(int count, const std::string& seed);

}  // namespace bench
