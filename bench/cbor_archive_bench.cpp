// The CBOR archive against cereal's portable binary archive: one small struct, there and back. Both reuse their memory
// and make their archives anew for each message. Rounds alternate, so that whatever else the machine does falls on
// both; the medians of the rounds and their ratio are printed at the end.
#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/string.hpp>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "busbar/cbor/input.hpp"
#include "busbar/cbor/output.hpp"
#include "sample.hpp"

namespace {

using bench::Sample;

constexpr int kRounds = 9;
constexpr double kSecondsPerRound = 0.1;

void there_and_back_busbar(benchmark::State& state) {
  Sample sample = bench::make_sample();
  busbar::cbor::ByteSink sink;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sample);
    sink.clear();
    busbar::cbor::encode(sample, sink);
    benchmark::DoNotOptimize(busbar::cbor::decode<Sample>(sink.bytes()));
  }
}

void there_busbar(benchmark::State& state) {
  Sample sample = bench::make_sample();
  busbar::cbor::ByteSink sink;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sample);
    sink.clear();
    busbar::cbor::encode(sample, sink);
    benchmark::DoNotOptimize(sink.bytes().data());
    benchmark::ClobberMemory();
  }
}

void there_and_back_cereal(benchmark::State& state) {
  Sample sample = bench::make_sample();
  std::stringstream out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sample);
    out.seekp(0);
    {
      cereal::PortableBinaryOutputArchive archive(out);
      archive(sample);
    }
    // The bytes are there already; only the reading position goes back.
    out.seekg(0);
    Sample back;
    cereal::PortableBinaryInputArchive archive(out);
    archive(back);
    benchmark::DoNotOptimize(back);
  }
}

void there_cereal(benchmark::State& state) {
  Sample sample = bench::make_sample();
  std::stringstream out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sample);
    out.seekp(0);
    cereal::PortableBinaryOutputArchive archive(out);
    archive(sample);
    benchmark::ClobberMemory();
  }
}

/// Collects nanoseconds by name; the rounds of one benchmark all have its name and their number.
class Collector : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string name = run.benchmark_name();
      times_[name.substr(0, name.find('/'))].push_back(run.GetAdjustedCPUTime());
    }
  }

  double median(const std::string& name) {
    std::vector<double>& times = times_[name];
    if (times.empty()) return 0;
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

 private:
  std::map<std::string, std::vector<double>> times_;
};

/// Stays on the CPU where it is, and says which.
void pin() {
  const int cpu = sched_getcpu();
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu >= 0) CPU_SET(static_cast<unsigned>(cpu), &set);
  const bool pinned = cpu >= 0 && sched_setaffinity(0, sizeof set, &set) == 0;
  std::printf("placement: %s CPU %d\n", pinned ? "pinned to" : "not pinned, began on", cpu);
}

void print_ratio(Collector& collector, const char* what, const char* ours, const char* theirs) {
  const double our_time = collector.median(ours), their_time = collector.median(theirs);
  std::printf("%-16s busbar %7.1f ns   cereal portable binary %7.1f ns   ratio %.2f\n", what, our_time, their_time,
              our_time / their_time);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  pin();
  for (int round = 0; round < kRounds; ++round) {
    const auto add = [&](const char* name, benchmark::internal::Function* function) {
      benchmark::RegisterBenchmark((std::string(name) + "/round:" + std::to_string(round)).c_str(), function)
          ->MinTime(kSecondsPerRound);
    };
    add("busbar", there_and_back_busbar);
    add("cereal", there_and_back_cereal);
    add("busbar_there", there_busbar);
    add("cereal_there", there_cereal);
  }
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  busbar::cbor::ByteSink sink;
  busbar::cbor::encode(bench::make_sample(), sink);
  std::printf("payload: %zu bytes of CBOR; medians of %d rounds, CPU time\n", sink.size(), kRounds);
  print_ratio(collector, "there and back", "busbar", "cereal");
  print_ratio(collector, "there", "busbar_there", "cereal_there");
}
