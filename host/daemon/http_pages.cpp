#include "daemon/http_pages.hpp"

#include <utility>

#include "metrics/call_metrics.hpp"
#include "metrics/exposition.hpp"
#include "metrics/host_metrics.hpp"
#include "metrics/peer_metrics.hpp"
#include "metrics/plugin_metrics.hpp"
#include "metrics/pool_metrics.hpp"
#include "metrics/process_metrics.hpp"

namespace busbar::host {

namespace {

/// "ok", or 503 with a reason a line.
HttpAnswer verdict(const std::vector<std::string>& reasons) {
  if (reasons.empty()) return {200, "ok\n"};
  std::string text;
  for (const std::string& reason : reasons) text += reason + "\n";
  return {503, std::move(text)};
}

std::shared_ptr<const Collectors> collectors_of(const HttpSubjects& subjects) {
  auto all = std::make_shared<Collectors>();
  all->push_back(std::make_unique<HostMetrics>(
      subjects.version, [&readiness = subjects.readiness] { return readiness.reasons().empty(); },
      subjects.log_lines_dropped));
  all->push_back(
      std::make_unique<PoolMetrics>([&node = subjects.node] { return node.pool_stats(); }, subjects.pool_queue));
  all->push_back(std::make_unique<CallMetrics>(subjects.node));
  all->push_back(std::make_unique<PeerMetrics>(subjects.node, subjects.counts));
  all->push_back(std::make_unique<PluginMetrics>([&plugins = subjects.plugins] { return plugins.rows(); },
                                                 subjects.counts, subjects.max_retired));
  all->push_back(std::make_unique<ProcessMetrics>());
  return all;
}

}  // namespace

HttpPages http_pages(const HttpSubjects& subjects) {
  HttpPages pages;
  pages["/metrics"] = [collectors = collectors_of(subjects)] {
    return HttpAnswer{200, exposition(*collectors), kExpositionType};
  };
  pages["/healthz"] = [hanging = subjects.hanging] { return verdict(hanging()); };
  pages["/readyz"] = [&readiness = subjects.readiness] { return verdict(readiness.reasons()); };
  return pages;
}

}  // namespace busbar::host
