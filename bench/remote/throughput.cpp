// Calls a second with 64 under way, against raw messages with 64 under way.
#include <cstdio>

#include "remote/busbar_side.hpp"
#include "remote/figures.hpp"
#include "remote/load.hpp"

namespace bench {

namespace {

void compare(const char* name, const Placement& at, const RemoteOptions& options, const MakeSide& make_ours) {
  if (!options.wants(name, at.name)) return;
  const MakeSide make_floor = raw_side();
  std::vector<double> ours, floor, ratio, our_cpu, floor_cpu;
  for (int round = 0; round < options.rounds; ++round) {
    for (const bool is_floor : {round % 2 == 0, round % 2 != 0}) {
      const Load load = measure_load(*(is_floor ? make_floor : make_ours)(at), options.calls);
      (is_floor ? floor : ours).push_back(load.per_second);
      (is_floor ? floor_cpu : our_cpu).push_back(load.cpu_seconds);
    }
    ratio.push_back(ours.back() / floor.back());
  }
  run_on(kUnpinned);
  std::printf("%-28s %-15s %8.0f / %8.0f calls/s = %6.3f   CPU of 100,000: %.3f / %.3f s%s\n", name, at.name,
              median(ours), median(floor), median(ratio), median(our_cpu), median(floor_cpu), at.asked);
  std::fflush(stdout);
}

}  // namespace

void measure_remote_throughput(const RemoteOptions& options) {
  std::printf("\n64 calls under way, against raw messages with 64 under way (ours / floor = ratio)\n");
  struct Row {
    const char* name;
    MakeSide ours;
    const char* asked;
  };
  for (const Row& row : {Row{"one thread, inline", busbar_side(Service::kInline), "   at least 0.90"},
                         Row{"one thread, pooled", busbar_side(Service::kPooled), "   at least 0.65"},
                         Row{"64 blocking threads, pooled", busbar_side(Service::kPooled, Callers::kBlockingThreads),
                             "   at least 0.30"}}) {
    compare(row.name, {"all on CPU 0", 0, 0, false, row.asked}, options, row.ours);
    compare(row.name, {"unpinned", kUnpinned, kUnpinned, false, row.asked}, options, row.ours);
  }
}

}  // namespace bench
