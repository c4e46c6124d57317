#include "daemon/readiness_log.hpp"

namespace busbar::host {

void ReadinessLog::begin() {
  const MutexLock lock(mutex_);
  const auto reasons = readiness_.reasons();
  begun_ = true;
  ready_ = reasons.empty();
  tell(reasons, "started, and not ready yet");
}

void ReadinessLog::look() {
  const MutexLock lock(mutex_);
  if (!begun_ || readiness_.is_stopping()) return;
  const auto reasons = readiness_.reasons();
  if (std::exchange(ready_, reasons.empty()) != reasons.empty()) tell(reasons, "not ready any more");
}

void ReadinessLog::tell(const std::vector<std::string>& reasons, const char* not_ready) const {
  if (reasons.empty()) return log_.info("ready", {{"node", node_}});
  std::string all;
  for (const std::string& reason : reasons) all += (all.empty() ? "" : "; ") + reason;
  log_.warn(not_ready, {{"node", node_}, {"reasons", all}});
}

}  // namespace busbar::host
