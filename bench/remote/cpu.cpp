// What 100,000 calls with 64 under way cost both processes, against gRPC's callback server with an asynchronous client.
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "remote/busbar_side.hpp"
#include "remote/figures.hpp"
#include "remote/load.hpp"

namespace bench {

namespace {

Load grpc_load(const std::string& program, const Placement& at) {
  run_on(at.worker);
  ServerProcess server({program, "serve"});
  const std::string address = server.line();
  run_on(at.caller);
  ServerProcess client({program, "call", address, std::to_string(server.pid()), "100000"});
  std::istringstream line(client.line());
  Load load;
  line >> load.per_second >> load.cpu_seconds;
  return load;
}

void compare(const char* name, const Placement& at, const RemoteOptions& options, const std::string& grpc,
             const MakeSide& make_ours) {
  if (!options.wants(name, at.name)) return;
  std::vector<double> ours, theirs, ratio, rate, their_rate;
  for (int round = 0; round < options.rounds; ++round) {
    for (const bool is_floor : {round % 2 == 0, round % 2 != 0}) {
      const Load load = is_floor ? grpc_load(grpc, at) : measure_load(*make_ours(at), 100'000);
      (is_floor ? theirs : ours).push_back(load.cpu_seconds);
      (is_floor ? their_rate : rate).push_back(load.per_second);
    }
    ratio.push_back(ours.back() / theirs.back());
  }
  run_on(kUnpinned);
  std::printf("%-10s %-15s %7.3f / %7.3f s = %6.3f   calls/s: %.0f / %.0f%s\n", name, at.name, median(ours),
              median(theirs), median(ratio), median(rate), median(their_rate), at.asked);
  std::fflush(stdout);
}

}  // namespace

void measure_remote_cpu(const RemoteOptions& options) {
  const std::string grpc = std::filesystem::path(own_program()).replace_filename("grpc_peer");
  if (!std::filesystem::exists(grpc)) {
    std::printf("\nCPU against gRPC: left out, because gRPC's packages were not here when this was built\n");
    return;
  }
  std::printf("\nCPU of both processes for 100,000 calls, 64 under way, against gRPC (ours / gRPC = ratio)\n");
  for (const Placement& at : {Placement{"unpinned", kUnpinned, kUnpinned, false, "   at most 0.125"},
                              Placement{"all on CPU 0", 0, 0, false, "   at most 0.125"}}) {
    compare("inline", at, options, grpc, busbar_side(Service::kInline));
    compare("pooled", at, options, grpc, busbar_side(Service::kPooled));
  }
}

}  // namespace bench
