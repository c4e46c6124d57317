// Whether a host is ready: what `status`, /readyz and the metrics say.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "node/node.hpp"
#include "plugins/plugin_manager.hpp"

namespace busbar::host {

/// Ownership: node and plugins outlive it. Threads: any.
class Readiness {
 public:
  /// `required`: services that must be provided here (readiness.require).
  Readiness(std::vector<std::string> required, const Node& node, const PluginManager& plugins)
      : required_(std::move(required)), node_(node), plugins_(plugins) {}

  /// Whether the first scan is over and the node has joined: then the host answers its callers. Once true, it stays so.
  bool has_begun() const { return plugins_.ready() && node_.join_state() == JoinState::joined; }
  /// Why the host is not ready, in words; empty: it is. It is when it has begun, all required services are provided
  /// here, and it is not stopping.
  std::vector<std::string> reasons() const;

  bool is_stopping() const noexcept { return stopping_.load(std::memory_order_relaxed); }
  /// From now on it is not ready any more.
  void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

 private:
  std::vector<std::string> missing_services() const;

  const std::vector<std::string> required_;
  const Node& node_;
  const PluginManager& plugins_;
  std::atomic<bool> stopping_{false};
};

}  // namespace busbar::host
