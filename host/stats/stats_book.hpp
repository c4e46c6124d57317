// Whose calls are counted where: one set of counters for each service of each version of a plugin.
#pragma once

#include <busbar/thread_safety.hpp>

#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stats/call_stats.hpp"

namespace busbar::host {

/// Counters go on when a plugin is replaced by one of the same version, and end with the last that has them. So there
/// are never more than services are loaded. Threads: any.
class StatsBook {
 public:
  struct Key {
    std::string service;
    std::string plugin;
    std::string version;
    auto operator<=>(const Key&) const = default;
  };
  struct Row {
    Key key;
    std::shared_ptr<const CallStats> stats;
  };

  /// Ownership: shared by those who asked for the same. Errors: std::bad_alloc.
  std::shared_ptr<CallStats> of(Key key);
  /// All that somebody has, in the order of their keys.
  std::vector<Row> rows() const;
  /// How many are remembered, those that have ended since it was last tidied up included.
  std::size_t size() const;

 private:
  mutable Mutex mutex_;
  std::map<Key, std::weak_ptr<CallStats>> books_ BUSBAR_GUARDED_BY(mutex_);
  std::size_t tidied_at_ BUSBAR_GUARDED_BY(mutex_) = 64;  // how many there must be for the ended ones to be taken out
};

}  // namespace busbar::host
