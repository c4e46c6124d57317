// The process, under the names that every Prometheus client has for it.
#pragma once

#include <prometheus/collectable.h>

namespace busbar::host {

/// Reads /proc/self. What cannot be read is left out. Threads: any.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace busbar::host
