// Between who is in the cluster and how nodes are reached: each node that is met gets a peer of the call plane.
#pragma once

#include <busbar/registry/cluster.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "events/events.hpp"
#include "log/log.hpp"
#include "transport/call_plane.hpp"

namespace busbar::host {

/// Ownership: the call plane and the events outlive it. Threads: the cluster's.
class Membership final : public registry::ClusterListener {
 public:
  /// Who wants to know how joining ends. Must be short.
  struct Outcome {
    std::function<void(std::string_view reason)> refused;
    std::function<void()> introduced;
  };
  /// `state_dir`: keeps the incarnation; empty: nothing does.
  Membership(Outcome outcome, CallPlane& call_plane, EventStream& events, std::filesystem::path state_dir, Logger log);

  std::shared_ptr<registry::RemoteNode> node_joined(const registry::NodeRecord& record) override;
  void node_suspected(std::string_view node, bool suspected) override;
  void node_left(const std::shared_ptr<registry::RemoteNode>& node, std::string_view reason) override;
  void node_replaced(const std::shared_ptr<registry::RemoteNode>& unused) override;
  void introduced() override { outcome_.introduced(); }
  void refused(std::string_view reason) override;
  void incarnation_raised(std::uint64_t incarnation) override;
  void warn(std::string_view text) override { log_.warn(text); }

 private:
  void emit(EventKind kind, std::string_view node, std::string_view reason = {}) const;

  const Outcome outcome_;
  CallPlane& call_plane_;
  EventStream& events_;
  const std::filesystem::path state_dir_;
  const Logger log_;
};

}  // namespace busbar::host
