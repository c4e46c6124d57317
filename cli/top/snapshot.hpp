// What a host says of itself at one moment, for `busbar top`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "response_json.hpp"

namespace busbar::cli {

/// Totals of calls, since they are counted.
struct CallTotals {
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;  ///< of them: all that were no success
  /// How many took at most so many microseconds, and longer than the bound before; the last bound is infinite.
  std::map<double, std::uint64_t> buckets;
};

/// Documents of the admin verbs `stats` and `plugins`, read. What is missing, or of another kind than expected, is
/// empty or 0: a host of another version says more, or less.
struct Snapshot {
  struct Pool {
    std::uint64_t threads = 0;
    std::uint64_t busy = 0;
    std::uint64_t queued = 0;
  };
  /// A service of one version of a plugin.
  struct Service {
    std::string service;
    std::string plugin;
    std::string version;
    std::uint64_t running = 0;  ///< also: the handler has returned, and somebody holds the reply handle
    std::uint64_t queued = 0;
    CallTotals totals;
  };
  struct Plugin {
    std::string name;  ///< of one whose name is not known, its file's
    std::string version;
    std::string state;
    std::uint64_t generation = 0;
    std::uint64_t calls_running = 0;
  };
  struct Node {
    std::string name;
    std::string state;
    std::uint64_t round_trip_us = 0;  ///< 0: not known
    std::uint64_t services = 0;
    std::uint64_t pending = 0;  ///< of this host's calls there
    CallTotals totals;          ///< likewise
  };

  std::string node;
  std::uint64_t at_us = 0;  ///< of a clock that never goes back, within one start of the host
  double uptime_s = 0;
  Pool pool;
  std::vector<Service> services;
  std::vector<Plugin> plugins;
  std::vector<Node> nodes;
};

Snapshot read_snapshot(const Json& stats, const Json& plugins);

}  // namespace busbar::cli
