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

/// All but those of calls, which are made anew for each scrape.
Collectors lasting_collectors(const HttpSubjects& subjects) {
  return {
      std::make_shared<HostMetrics>(
          subjects.version, [&readiness = subjects.readiness] { return readiness.reasons().empty(); },
          subjects.log_lines_dropped),
      std::make_shared<PoolMetrics>([&node = subjects.node] { return node.pool_stats(); }, subjects.pool_queue),
      std::make_shared<PeerMetrics>(subjects.node, subjects.counts),
      std::make_shared<PluginMetrics>([&plugins = subjects.plugins] { return plugins.rows(); }, subjects.counts,
                                      subjects.max_retired),
      std::make_shared<ProcessMetrics>(),
  };
}

HttpAnswer metrics(const Collectors& lasting, const Node& node) {
  Collectors all = lasting;
  for (auto& collector : call_metrics(node)) all.push_back(std::move(collector));
  const auto text = std::make_shared<Exposition>(std::move(all));
  std::string first = text->next();
  return {200, std::move(first), kExpositionType, [text] { return text->next(); }};
}

}  // namespace

HttpPages http_pages(const HttpSubjects& subjects) {
  HttpPages pages;
  pages["/metrics"] = [lasting = lasting_collectors(subjects), &node = subjects.node] {
    return metrics(lasting, node);
  };
  pages["/healthz"] = [hanging = subjects.hanging] { return verdict(hanging()); };
  pages["/readyz"] = [&readiness = subjects.readiness] { return verdict(readiness.reasons()); };
  return pages;
}

}  // namespace busbar::host
