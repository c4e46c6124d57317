// A node of a cluster, without plugins or calls: its registry, its membership, and what it was told.
#pragma once

#include <busbar/registry/cluster.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace busbar::testing {

/// Another node as a test reaches it: at once.
class ReachedNode final : public registry::RemoteNode {
 public:
  ReachedNode(std::string name, std::uint64_t incarnation, bool is_routable)
      : RemoteNode(std::move(name), incarnation) {
    set_routable(is_routable);
  }
  using RemoteNode::set_routable;
};

class ClusterNode final : public registry::ClusterListener {
 public:
  struct Told {
    std::vector<std::string> joined;    // names
    std::vector<std::string> left;      // "name: reason"
    std::vector<std::string> refusals;  // texts
    std::vector<std::string> warnings;
    std::vector<std::uint64_t> raised;
    std::vector<std::shared_ptr<registry::RemoteNode>> unused;  // after `replace`
  };

  explicit ClusterNode(registry::ClusterOptions options, bool reaches_others = true)
      : reaches_others_(reaches_others), cluster_(std::move(options), registry_, *this) {}
  /// As `name`, which joins through `seeds`.
  explicit ClusterNode(const std::string& name, std::vector<std::string> seeds = {}, std::uint64_t incarnation = 1)
      : ClusterNode(options(name, std::move(seeds), incarnation)) {
    cluster_.start();
  }
  ~ClusterNode() override { cluster_.stop(); }

  static registry::ClusterOptions options(const std::string& name, std::vector<std::string> seeds = {},
                                          std::uint64_t incarnation = 1) {
    registry::ClusterOptions out;
    out.node = name;
    out.incarnation = incarnation;
    out.call_address = "tcp://127.0.0.1:1";
    out.seeds = std::move(seeds);
    return out;
  }

  registry::Registry& registry() { return registry_; }
  registry::Cluster& cluster() { return cluster_; }
  const std::string& address() const { return cluster_.address(); }

  /// Registers a router with these services in place of those that it had.
  void offer(const std::string& router, const std::vector<std::string>& services,
             registry::Visibility visibility = registry::Visibility::public_) {
    std::vector<std::shared_ptr<registry::LocalProvider>> out;
    for (const auto& service : services)
      out.push_back(std::make_shared<registry::LocalProvider>(service, router, visibility));
    registry_.register_router(router, std::move(out));
  }
  /// The names of the nodes that offer a service, without this one.
  std::vector<std::string> providers(std::string_view service) const {
    return registry_.lookup(service, [](const registry::ServiceEntry* entry) {
      std::vector<std::string> out;
      if (entry == nullptr) return out;
      for (const auto& remote : entry->remote) out.push_back(remote.node->name());
      return out;
    });
  }
  /// The names of the other nodes that it knows.
  std::vector<std::string> knows() const {
    std::vector<std::string> out;
    for (const auto& row : cluster_.rows()) {
      if (row.state != registry::NodeState::self) out.push_back(row.name);
    }
    return out;
  }
  std::shared_ptr<ReachedNode> reached(std::string_view name) const {
    return std::static_pointer_cast<ReachedNode>(registry_.find_node(name));
  }
  Told told() const {
    const MutexLock lock(mutex_);
    return told_;
  }
  bool warned_of(std::string_view words) const {
    const auto warnings = told().warnings;
    return std::any_of(warnings.begin(), warnings.end(),
                       [&](const auto& text) { return text.find(words) != std::string::npos; });
  }

  std::shared_ptr<registry::RemoteNode> node_joined(const registry::NodeRecord& record) override {
    const MutexLock lock(mutex_);
    told_.joined.push_back(record.name);
    return std::make_shared<ReachedNode>(record.name, record.incarnation, reaches_others_);
  }
  void node_left(const std::shared_ptr<registry::RemoteNode>& node, std::string_view reason) override {
    const MutexLock lock(mutex_);
    told_.left.push_back(node->name() + ": " + std::string(reason));
  }
  void node_replaced(const std::shared_ptr<registry::RemoteNode>& unused) override {
    const MutexLock lock(mutex_);
    told_.unused.push_back(unused);
  }
  void refused(std::string_view reason) override {
    const MutexLock lock(mutex_);
    told_.refusals.emplace_back(reason);
  }
  void incarnation_raised(std::uint64_t incarnation) override {
    const MutexLock lock(mutex_);
    told_.raised.push_back(incarnation);
  }
  void warn(std::string_view text) override {
    const MutexLock lock(mutex_);
    told_.warnings.emplace_back(text);
  }

 private:
  const bool reaches_others_;
  mutable Mutex mutex_;
  Told told_ BUSBAR_GUARDED_BY(mutex_);
  registry::Registry registry_;
  registry::Cluster cluster_;
};

}  // namespace busbar::testing
