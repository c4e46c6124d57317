// What a host tells over HTTP: /metrics, /healthz and /readyz.
#pragma once

#include <cstddef>
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
  std::size_t pool_queue = 0;  ///< as configured
  unsigned max_retired = 0;    ///< as configured
};

HttpPages http_pages(const HttpSubjects& subjects);

}  // namespace busbar::host
