// What has happened between two moments of a host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "top/snapshot.hpp"

namespace busbar::cli {

enum class SortBy { rate, p99, errors, name };

/// Calls as they went in the interval.
struct CallRates {
  double calls_per_s = 0;
  double errors_per_s = 0;
  std::optional<double> p50_us;  ///< absent: no call has ended
  std::optional<double> p99_us;
};

/// A service, all its versions together.
struct ServiceRates {
  std::string service;
  std::string plugin;
  CallRates rates;
  std::uint64_t running = 0;
  std::uint64_t queued = 0;
};

struct Interval {
  std::uint64_t length_us = 0;
  std::vector<ServiceRates> services;  ///< sorted
  std::vector<CallRates> nodes;        ///< of the host's calls at each of the nodes, in their order
};

/// Totals that are less than before began anew: then all of them counts. Without `before`, which is where a host has
/// only begun to be looked at, nothing has happened yet.
Interval interval_between(const Snapshot* before, const Snapshot& now, SortBy order);

/// What that part (0 … 1) of the calls did not exceed, as if those of a bucket were spread evenly over it; absent where
/// there is none. The bounds are 1, 2, 5, 10 … up to a minute, and buckets without calls may be left out.
std::optional<double> quantile_of(const CallTotals& totals, double part);

}  // namespace busbar::cli
