// The calls, as Prometheus sees them.
#pragma once

#include <prometheus/collectable.h>

#include "node/node.hpp"

namespace busbar::host {

/// Series by service, plugin and version are those of what is loaded here, and by peer those of the members that this
/// node knows: nobody who calls can make another one. All outcomes are there from
/// the beginning: a counter that appears with its first failure shows no increase.
/// Ownership: the node outlives it. Threads: any.
class CallMetrics final : public prometheus::Collectable {
 public:
  explicit CallMetrics(const Node& node) : node_(node) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Node& node_;
};

}  // namespace busbar::host
