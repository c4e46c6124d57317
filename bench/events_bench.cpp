// What observing costs an inline call: with nobody, counted, with an observer, and with all that busbard has.
//
// usage: events_bench [--plugin FILE] [--rounds N]
#include <busbar/payload.hpp>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <memory>

#include "events/event_history.hpp"
#include "local_host.hpp"
#include "sample.hpp"

namespace {

using namespace bench;  // NOLINT: a program of its own
using busbar::Payload;

constexpr int kCalls = 100'000;

// Counts what it is shown, each thread for itself: an atomic addition for each would be most of what is measured.
class Counter final : public Observer {
 public:
  void on_event(const Event&) noexcept override { ++counted; }
  static thread_local constinit std::uint64_t counted;
};
thread_local constinit std::uint64_t Counter::counted = 0;

// The same with one counter for all threads.
class SharedCounter final : public Observer {
 public:
  void on_event(const Event&) noexcept override { counted_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> counted_{0};
};

double each_call(Bench& bench, const Payload& request) {
  const Nanos begin = now_ns();
  for (int i = 0; i < kCalls; ++i) {
    Message message("bench_inline", Payload::borrow(request.bytes()));
    bench.dispatcher().dispatch(message);
    check(message);
  }
  return static_cast<double>(now_ns() - begin) / kCalls;
}

// What a call asks of a stream that nobody observes.
double each_call_asks(const EventStream& stream) {
  const Nanos begin = now_ns();
  for (int i = 0; i < kCalls; ++i) {
    for (const EventKind kind :
         {EventKind::discovering_service, EventKind::service_found, EventKind::checking_if_service_call_is_authorized,
          EventKind::execution_finished, EventKind::executing_service, EventKind::service_responded}) {
      keep(stream.wants(kind));
    }
  }
  return static_cast<double>(now_ns() - begin) / kCalls;
}

struct Case {
  const char* name;
  bool counted;
  std::shared_ptr<Observer> observer;
  std::vector<double> ns, more;
};

}  // namespace

int main(int argc, char** argv) {
  std::string plugin = BENCH_PLUGIN;
  int rounds = 5;
  CLI::App app("Measures what observers cost.", "events_bench");
  app.add_option("--plugin", plugin, "The benchmark's plugin");
  app.add_option("--rounds", rounds, "Alternating rounds");
  CLI11_PARSE(app, argc, argv);

  run_on(0);
  Bench uncounted(plugin, 1, false), bench(plugin, 1);
  const Payload request = Payload::of(make_sample());
  std::array<Case, 5> cases = {
      {{"nobody, and nothing is counted", false, nullptr, {}, {}},
       {"counted: outcomes and durations", true, nullptr, {}, {}},
       {"… and the last 1,000: all that busbard has", true, std::make_shared<EventHistory>(), {}, {}},
       {"not counted, an observer of every event", false, std::make_shared<Counter>(), {}, {}},
       {"not counted, one for all threads at once", false, std::make_shared<SharedCounter>(), {}, {}}}};
  std::vector<double> asked;
  for (int round = -1; round < rounds; ++round) {  // the first warms up
    double nobody = 0;
    for (Case& measured : cases) {
      Bench& host = measured.counted ? bench : uncounted;
      if (measured.observer) host.events().subscribe(measured.observer);
      const double ns = each_call(host, request);
      if (measured.observer) host.events().unsubscribe(measured.observer);
      if (&measured == &cases.front()) nobody = ns;
      if (round < 0) continue;
      measured.ns.push_back(ns);
      measured.more.push_back(ns - nobody);
    }
    if (round >= 0) asked.push_back(each_call_asks(bench.events()));
  }
  std::printf("an inline call of ready bytes, pinned to CPU 0 (ns, median of %d alternating rounds)\n", rounds);
  for (Case& measured : cases) {
    std::printf("%-44s %8.1f  %+8.1f\n", measured.name, median(measured.ns), median(measured.more));
  }
  std::printf("%-44s %8.1f\n", "asking, where nobody observes", median(asked));
}
