#include "metrics/host_metrics.hpp"

#include "metrics/families.hpp"

namespace busbar::host {

MetricFamilies HostMetrics::Collect() const {
  auto build = gauge_family("busbar_build_info", "The version of this host; always 1.");
  add(build, 1, labels({{"version", version_}}));
  return {std::move(build),
          gauge("busbar_ready", "Whether this host is ready, as /readyz says: 1 or 0.", ready_() ? 1 : 0),
          counter("busbar_log_lines_dropped_total",
                  "Lines of the log that nobody took in time, or that could not be written.",
                  static_cast<double>(log_lines_dropped_()))};
}

}  // namespace busbar::host
