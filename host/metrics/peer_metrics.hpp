// The other nodes and who else comes, as Prometheus sees them.
#pragma once

#include <prometheus/collectable.h>

#include <memory>

#include "metrics/event_counts.hpp"
#include "node/node.hpp"

namespace busbar::host {

/// Series by node are those of the members that this node knows now, registry.max_peers at most; who has left has none.
/// Ownership: the node outlives it. Threads: any.
class PeerMetrics final : public prometheus::Collectable {
 public:
  PeerMetrics(const Node& node, std::shared_ptr<const EventCounts> counts) : node_(node), counts_(std::move(counts)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Node& node_;
  const std::shared_ptr<const EventCounts> counts_;
};

}  // namespace busbar::host
