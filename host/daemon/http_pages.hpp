// What a host tells over HTTP: /metrics, /healthz and /readyz.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/readiness.hpp"
#include "http/http_server.hpp"
#include "metrics/event_counts.hpp"
#include "node/node.hpp"
#include "plugins/plugin_manager.hpp"

namespace busbar::host {

/// What the pages tell of. Ownership: outlives the server.
struct HttpSubjects {
  std::string version;
  Node& node;
  const PluginManager& plugins;
  const Readiness& readiness;
  std::function<std::vector<std::string>()> hanging;  ///< which threads do not turn, in words
  std::shared_ptr<const EventCounts> counts;
  std::size_t pool_queue = 0;             ///< as configured
  std::function<unsigned()> max_retired;  ///< as it is in effect
  std::function<std::uint64_t()> log_lines_dropped;
};

HttpPages http_pages(const HttpSubjects& subjects);

}  // namespace busbar::host
