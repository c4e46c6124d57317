// How soon a new service is known on another node: from the moment before it is registered in one process to the
// moment after a lookup in the other one finds it. Both read the same clock.
#include <cstdio>
#include <iostream>
#include <string>

#include "remote/busbar_side.hpp"
#include "remote/figures.hpp"
#include "remote/process.hpp"

namespace bench {

namespace registry = busbar::registry;

namespace {

std::string service_name(const std::string& number) { return "bench_known_" + number; }

bool found(const busbar::Node& node, const std::string& service) {
  return node.registry().lookup(service, [](const registry::ServiceEntry* entry) { return entry != nullptr; });
}

// From registration to discovery. The service takes the place of the one before: one is added, one goes.
Nanos spread_one(ServerProcess& announcer, const busbar::Node& node, const std::string& number) {
  const std::string service = service_name(number);
  announcer.say(number);
  while (!found(node, service)) ::sched_yield();
  const Nanos known = now_ns();
  return known - std::stoll(announcer.line());
}

}  // namespace

void serve_announcer() {
  busbar::NodeOptions options;
  options.name = "announcer";
  busbar::Node node(options);
  const auto announce = [&](const std::string& number) {
    node.registry().register_router("bench", {std::make_shared<registry::LocalProvider>(
                                                 service_name(number), "bench", registry::Visibility::public_)});
  };
  announce("first");
  say_to_starter(node.registry_address());
  for (std::string number; std::getline(std::cin, number);) {
    const Nanos before = now_ns();
    announce(number);
    say_to_starter(std::to_string(before));
  }
}

void measure_known(const RemoteOptions& options) {
  ServerProcess announcer({own_program(), "--serve", "announcer"});
  const auto node = make_client(announcer.line(), service_name("first"));
  std::vector<double> times;
  for (int i = 0; i < options.announcements; ++i) {
    const Nanos took = spread_one(announcer, *node, std::to_string(i));
    times.push_back(static_cast<double>(took) / kMillisecond);
  }
  std::sort(times.begin(), times.end());
  std::printf(
      "\na new service known on the other node, %zu times: median %.3f ms, 99th percentile %.3f ms, most %.3f ms"
      "   median under 0.3 ms\n",
      times.size(), median(times), times[times.size() * 99 / 100], times.back());
  std::fflush(stdout);
}

}  // namespace bench
