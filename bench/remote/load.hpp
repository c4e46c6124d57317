// Many calls under way: how many a second, and what they cost.
#pragma once

#include <unistd.h>

#include "remote/process.hpp"
#include "remote/side.hpp"

namespace bench {

struct Load {
  double per_second = 0;
  double cpu_seconds = 0;  // of both processes, for 100,000 calls
};

inline Load measure_load(Side& side, std::size_t calls) {
  side.run(calls / 20);  // warms up
  const auto cpu = [&] { return cpu_time(::getpid()) + cpu_time(side.server()); };
  const Nanos cpu_before = cpu(), before = now_ns();
  side.run(calls);
  const double took = static_cast<double>(now_ns() - before) / kSecond;
  const double cost = static_cast<double>(cpu() - cpu_before) / kSecond;
  return {static_cast<double>(calls) / took, cost * 1e5 / static_cast<double>(calls)};
}

}  // namespace bench
