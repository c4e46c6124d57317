// A provider killed with -9 while 64 calls are under way there: how soon the last of them is answered, and nobody
// picks that provider any more.
#include <array>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>

#include "pool/completion_queue.hpp"
#include "remote/busbar_side.hpp"
#include "remote/figures.hpp"
#include "remote/host_server.hpp"
#include "sample.hpp"

namespace bench {

namespace {

using busbar::Message;

struct Death {
  double answered_ms = 0;   // the last call has its answer
  double forgotten_ms = 0;  // and discovery does not offer the provider; looked at from then on
  double resident_mb = 0;
};

double resident_mb(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  long total = 0, resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

struct Held : Completion {
  CompletionQueue* completions = nullptr;
  bool node_down = false;
};

// Calls that the provider takes and does not answer.
void begin_calls(busbar::Node& node, std::array<Held, kUnderWay>& calls, CompletionQueue& completions) {
  for (Held& call : calls) {
    call.completions = &completions;
    node.dispatcher().dispatch_async(Message::of("bench_held", make_sample()), [&call](Message&& outcome) {
      call.node_down = outcome.response().bad_rpc_kind() == busbar::badrpc::kNodedown;
      call.completions->push(call);
    });
  }
  Message after = Message::of("bench_inline", make_sample());  // answered when the provider has seen those before it
  node.dispatcher().dispatch(after);
  check(after);
}

Death kill_once() {
  HostServer server;
  const auto node = make_client(server.seed(), "bench_held");
  CompletionQueue completions;
  std::array<Held, kUnderWay> calls;
  begin_calls(*node, calls, completions);
  if (completions.take() != nullptr) throw std::runtime_error("a call was answered that should have been held");

  Death death;
  death.resident_mb = resident_mb(server.process().pid());
  YieldGuard guard;
  const Nanos killed = now_ns();
  server.process().kill();
  for (std::size_t left = kUnderWay; left > 0;) {
    for (Completion* done = completions.wait(kNever, guard); done != nullptr; done = done->next) --left;
  }
  const Nanos answered = now_ns();
  while (!node->discover("bench_held").empty()) ::sched_yield();
  death.answered_ms = static_cast<double>(answered - killed) / kMillisecond;
  death.forgotten_ms = static_cast<double>(now_ns() - killed) / kMillisecond;
  for (const Held& call : calls) {
    if (!call.node_down) throw std::runtime_error("a call was not answered with nodedown");
  }
  return death;
}

}  // namespace

void measure_killed(const RemoteOptions& options) {
  std::vector<double> answered, forgotten;
  double resident = 0;
  for (int i = 0; i < options.kills; ++i) {
    const Death death = kill_once();
    answered.push_back(death.answered_ms);
    forgotten.push_back(death.forgotten_ms);
    resident = std::max(resident, death.resident_mb);
  }
  std::printf("\nprovider of %.1f MB killed with 64 calls under way, %d times\n", resident, options.kills);
  const auto print = [](const char* name, const std::vector<double>& times) {
    std::printf("%-44s median %.3f ms, most %.3f ms   under 2 ms, at most 100 ms\n", name, median(times),
                *std::max_element(times.begin(), times.end()));
  };
  print("  the last of them answered", answered);
  print("  and the provider is not offered any more", forgotten);
  std::fflush(stdout);
}

}  // namespace bench
