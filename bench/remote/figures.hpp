// The figures of calls between two processes; each prints its lines: ours / floor = ratio, and what is asked.
#pragma once

#include <cstddef>
#include <string>

namespace bench {

struct RemoteOptions {
  std::string only;             // the name of the one figure that is wanted; empty: all
  std::string row;              // what the names of the wanted rows and placements contain; empty: all
  int rounds = 7;               // alternating
  int ms = 300;                 // how long each round takes with one call at a time
  std::size_t calls = 200'000;  // of each round with many under way
  int announcements = 200;
  int kills = 50;

  bool wants(const std::string& name, const char* placement) const {
    return (name + ", " + placement).find(row) != std::string::npos;
  }
};

void measure_remote_latency(const RemoteOptions& options);
void measure_explained(const RemoteOptions& options);
void measure_remote_throughput(const RemoteOptions& options);
void measure_curve(const RemoteOptions& options);
void measure_strangers(const RemoteOptions& options);
void measure_remote_cpu(const RemoteOptions& options);
void measure_known(const RemoteOptions& options);
void measure_killed(const RemoteOptions& options);

// What a process does that was started with `--serve announcer`: registers a service for each line that it reads.
void serve_announcer();
// The same with `--serve strangers`: reads the host's call address, how many a second, and then says at each line how
// many it has been; until "end".
void serve_strangers(const std::string& keys);

}  // namespace bench
