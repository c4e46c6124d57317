// The pool, as Prometheus sees it.
#pragma once

#include <prometheus/collectable.h>

#include <functional>

#include "pool/pool.hpp"

namespace busbar::host {

/// Threads: any, as `stats` may be called.
class PoolMetrics final : public prometheus::Collectable {
 public:
  /// `queue`: how many may wait at most.
  PoolMetrics(std::function<PoolStats()> stats, std::size_t queue) : stats_(std::move(stats)), queue_(queue) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::function<PoolStats()> stats_;
  const std::size_t queue_;
};

}  // namespace busbar::host
