// The plugins, as Prometheus sees them.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <memory>
#include <vector>

#include "metrics/event_counts.hpp"
#include "plugins/plugin_row.hpp"

namespace busbar::host {

/// Threads: any, as `rows` may be called.
class PluginMetrics final : public prometheus::Collectable {
 public:
  /// `max_retired`: as it is in effect, which may change.
  PluginMetrics(std::function<std::vector<PluginRow>()> rows, std::shared_ptr<const EventCounts> counts,
                std::function<unsigned()> max_retired)
      : rows_(std::move(rows)), counts_(std::move(counts)), max_retired_(std::move(max_retired)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::function<std::vector<PluginRow>()> rows_;
  const std::shared_ptr<const EventCounts> counts_;
  const std::function<unsigned()> max_retired_;
};

}  // namespace busbar::host
