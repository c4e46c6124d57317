// One call at a time: from the typed request to the decoded answer, against a raw round trip.
#include <cstdio>

#include "remote/busbar_side.hpp"
#include "remote/figures.hpp"

namespace bench {

namespace {

struct Row {
  Service service;
  const char* title;
  const char* asked_on_one;
  const char* asked_on_two;
  const char* asked_unpinned;
  const char* asked_beside;
};

void compare(const Row& row, const RemoteOptions& options) {
  std::printf("\n%s service, one call at a time, against a raw round trip (us: ours / floor = ratio)\n", row.title);
  for (const Placement& at : {Placement{"all on CPU 0", 0, 0, false, row.asked_on_one},
                              Placement{"client on CPU 0, server on 1", 0, 1, false, row.asked_on_two},
                              Placement{"unpinned", kUnpinned, kUnpinned, false, row.asked_unpinned},
                              Placement{"all on CPU 0, busy process there", 0, 0, true, row.asked_beside},
                              Placement{"CPU 0 and 1, busy process on CPU 0", 0, 1, true, row.asked_beside}}) {
    if (!options.wants(row.title, at.name)) continue;
    compare_latency(
        at, options.rounds, options.ms * kMillisecond, [&] { return raw_side()(at); },
        [&] { return busbar_side(row.service)(at); });
  }
}

}  // namespace

// What it costs to have a call explained, and a trace with it, against the same call without.
void measure_explained(const RemoteOptions& options) {
  for (const Service service : {Service::kInline, Service::kPooled}) {
    const char* const title = service == Service::kInline ? "inline" : "pooled";
    std::printf("\n%s service, one call at a time, explained, against the same without (us: ours / floor = ratio)\n",
                title);
    for (const Placement& at : {Placement{"all on CPU 0", 0, 0, false, "   p50 at most 1.03"},
                                Placement{"client on CPU 0, server on 1", 0, 1, false, "   p50 at most 1.03"}}) {
      if (!options.wants(title, at.name)) continue;
      compare_latency(
          at, options.rounds, options.ms * kMillisecond, [&] { return busbar_side(service)(at); },
          [&] { return explained_side(service)(at); });
    }
  }
}

void measure_remote_latency(const RemoteOptions& options) {
  compare({Service::kInline, "inline", "   p50 at most 1.0", "   p50 at most 0.85", "", "   p50 at most 1.2"}, options);
  compare({Service::kPooled, "pooled", "   p50 at most 1.15", "   p50 at most 1.0", "", "   p50 at most 1.2"}, options);
}

}  // namespace bench
