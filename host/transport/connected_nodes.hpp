// Which nodes have connections to our ROUTER, for those who do not read it.
#pragma once

#include <busbar/thread_safety.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace busbar::host {

/// A node that is gone may have answered calls that were forwarded to it through our ROUTER (C-R6): all of it has been
/// read when the node is no longer here. Threads: any.
class ConnectedNodes {
 public:
  /// Errors: std::bad_alloc.
  void came(std::string_view name, std::uint64_t incarnation) {
    const MutexLock lock(mutex_);
    ++connections_[{std::string(name), incarnation}];
  }
  /// One of its connections has ended, and everything that came over it has been read. After a `came`.
  void left(std::string_view name, std::uint64_t incarnation) noexcept {
    const MutexLock lock(mutex_);
    const auto found = connections_.find(std::pair(name, incarnation));
    if (found != connections_.end() && --found->second == 0) connections_.erase(found);
  }
  bool has(std::string_view name, std::uint64_t incarnation) const noexcept {
    const MutexLock lock(mutex_);
    return connections_.find(std::pair(name, incarnation)) != connections_.end();
  }

 private:
  struct Less {
    using is_transparent = void;
    using View = std::pair<std::string_view, std::uint64_t>;
    bool operator()(const View& a, const View& b) const noexcept { return a < b; }
  };

  mutable Mutex mutex_;
  std::map<std::pair<std::string, std::uint64_t>, unsigned, Less> connections_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::host
