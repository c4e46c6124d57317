// What keys cost: one call at a time against the same without keys, and many under way against raw messages with CURVE.
#include <cstdio>

#include "remote/bench_keys.hpp"
#include "remote/busbar_side.hpp"
#include "remote/figures.hpp"
#include "remote/load.hpp"

namespace bench {

namespace {

constexpr Placement kOne{"all on CPU 0", 0, 0, false, ""};
constexpr Placement kTwo{"client on CPU 0, server on 1", 0, 1, false, ""};
constexpr Placement kFree{"unpinned", kUnpinned, kUnpinned, false, ""};

void compare_one_at_a_time(const RemoteOptions& options, const std::string& keys) {
  std::printf("\none call at a time, with keys against without (us: with / without = ratio)\n");
  for (Placement at : {kOne, kTwo, kFree}) {
    at.asked = "   p50 at most 1.15";
    if (!options.wants("one at a time", at.name)) continue;
    compare_latency(
        at, options.rounds, options.ms * kMillisecond, [&] { return busbar_side(Service::kInline)(at); },
        [&] { return busbar_side(Service::kInline, Callers::kOneThread, keys)(at); });
  }
}

void compare_many(const RemoteOptions& options, const std::string& keys) {
  std::printf("\n64 calls under way with keys, against raw messages with CURVE (ours / floor = ratio)\n");
  for (const Placement& at : {kOne, kFree}) {
    if (!options.wants("64 under way", at.name)) continue;
    std::vector<double> ours, floor, ratio;
    for (int round = 0; round < options.rounds; ++round) {
      for (const bool is_floor : {round % 2 == 0, round % 2 != 0}) {
        const MakeSide side = is_floor ? raw_side(keys) : busbar_side(Service::kInline, Callers::kOneThread, keys);
        (is_floor ? floor : ours).push_back(measure_load(*side(at), options.calls).per_second);
      }
      ratio.push_back(ours.back() / floor.back());
    }
    run_on(kUnpinned);
    std::printf("%-44s %8.0f / %8.0f calls/s = %6.3f   at least 0.8\n", at.name, median(ours), median(floor),
                median(ratio));
    std::fflush(stdout);
  }
}

}  // namespace

void measure_curve(const RemoteOptions& options) {
  const BenchKeys keys;
  compare_one_at_a_time(options, keys.directory());
  compare_many(options, keys.directory());
}

}  // namespace bench
