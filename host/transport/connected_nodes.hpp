// Which nodes have connections to our ROUTER, for those who do not read it.
#pragma once

#include <busbar/thread_safety.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/clock.hpp"

namespace busbar::host {

/// A node, for one incarnation of it.
using NodeStart = std::pair<std::string, std::uint64_t>;

/// A node that is gone may have answered calls that were forwarded to it through our ROUTER (C-R6): all of it has been
/// read when the node is no longer here. Threads: any.
class ConnectedNodes {
 public:
  /// Errors: std::bad_alloc.
  void came(std::string_view name, std::uint64_t incarnation) {
    const MutexLock lock(mutex_);
    Counts& counts = nodes_[{std::string(name), incarnation}];
    ++counts.connections;
    ++counts.asking;
  }
  /// It has said that it asks nothing more on one of its connections. Once for a connection, after its `came`.
  void asks_no_more(std::string_view name, std::uint64_t incarnation) noexcept {
    const MutexLock lock(mutex_);
    const auto found = nodes_.find(std::pair(name, incarnation));
    if (found == nodes_.end() || --found->second.asking != 0) return;
    changed_.notify_all();
  }
  /// One of its connections has ended, and everything that came over it has been read. After a `came`.
  void left(std::string_view name, std::uint64_t incarnation, bool was_asking) noexcept {
    const MutexLock lock(mutex_);
    const auto found = nodes_.find(std::pair(name, incarnation));
    if (found == nodes_.end()) return;
    if (was_asking) --found->second.asking;
    if (--found->second.connections == 0) nodes_.erase(found);
    changed_.notify_all();
  }
  bool has(std::string_view name, std::uint64_t incarnation) const noexcept {
    const MutexLock lock(mutex_);
    return nodes_.find(std::pair(name, incarnation)) != nodes_.end();
  }
  /// Waits until none of these has a connection on which it may ask something, or the time has come. False: it came.
  bool wait_until_none_asks(const std::vector<NodeStart>& nodes, Nanos deadline) const {
    const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline)};
    const MutexLock lock(mutex_);
    while (one_asks(nodes)) {
      if (changed_.wait_until(mutex_, until) == std::cv_status::timeout) return !one_asks(nodes);
    }
    return true;
  }

 private:
  struct Counts {
    unsigned connections = 0;
    unsigned asking = 0;  // of them, those on which a request may come
  };
  struct Less {
    using is_transparent = void;
    using View = std::pair<std::string_view, std::uint64_t>;
    bool operator()(const View& a, const View& b) const noexcept { return a < b; }
  };

  bool one_asks(const std::vector<NodeStart>& nodes) const BUSBAR_REQUIRES(mutex_) {
    for (const NodeStart& node : nodes) {
      const auto found = nodes_.find(node);
      if (found != nodes_.end() && found->second.asking != 0) return true;
    }
    return false;
  }

  mutable Mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::map<NodeStart, Counts, Less> nodes_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::host
