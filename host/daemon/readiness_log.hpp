// What the log says of a host that becomes ready, or is so no more.
#pragma once

#include <busbar/thread_safety.hpp>

#include <string>
#include <utility>
#include <vector>

#include "daemon/readiness.hpp"
#include "log/log.hpp"

namespace busbar::host {

/// Ownership: the readiness outlives it. Threads: any.
class ReadinessLog {
 public:
  ReadinessLog(const Readiness& readiness, std::string node, Logger log)
      : readiness_(readiness), node_(std::move(node)), log_(std::move(log)) {}

  /// The start is over. Once.
  void begin();
  /// Something about the plugins may have changed.
  void look();

 private:
  void tell(const std::vector<std::string>& reasons, const char* not_ready) const;

  const Readiness& readiness_;
  const std::string node_;
  const Logger log_;
  Mutex mutex_;
  bool begun_ BUSBAR_GUARDED_BY(mutex_) = false;
  bool ready_ BUSBAR_GUARDED_BY(mutex_) = false;
};

}  // namespace busbar::host
