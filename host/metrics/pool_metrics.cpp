#include "metrics/pool_metrics.hpp"

#include <algorithm>

#include "metrics/families.hpp"

namespace busbar::host {

MetricFamilies PoolMetrics::Collect() const {
  const PoolStats now = stats_();
  auto threads = gauge_family("busbar_pool_threads", "Threads of the pool by what they do now.");
  add(threads, now.idle, labels({{"state", "idle"}}));
  add(threads, now.running - std::min(now.running, now.blocked), labels({{"state", "running"}}));
  add(threads, now.blocked, labels({{"state", "blocked"}}));
  return {std::move(threads),
          gauge("busbar_pool_threads_max", "Threads that may exist (pool.max_threads).", now.max_threads),
          gauge("busbar_pool_queued", "Calls that wait for a thread of the pool.", static_cast<double>(now.queued)),
          gauge("busbar_pool_queue_max", "Calls that may wait for one (pool.queue).", static_cast<double>(queue_)),
          counter("busbar_pool_tasks_started_total", "Calls that a thread of the pool has begun.",
                  static_cast<double>(now.started)),
          counter("busbar_pool_tasks_finished_total", "Of these, those that have ended.",
                  static_cast<double>(now.finished))};
}

}  // namespace busbar::host
