#include "node/membership.hpp"

#include <busbar/registry/incarnation.hpp>

#include <exception>
#include <utility>

namespace busbar::host {

Membership::Membership(Outcome outcome, CallPlane& call_plane, EventStream& events, std::filesystem::path state_dir,
                       Logger log)
    : outcome_(std::move(outcome)),
      call_plane_(call_plane),
      events_(events),
      state_dir_(std::move(state_dir)),
      log_(std::move(log)) {}

std::shared_ptr<registry::RemoteNode> Membership::node_joined(const registry::NodeRecord& record) {
  // One that nobody can reach, for as long as it takes until the cluster ends too.
  if (leaving_.load(std::memory_order_acquire)) {
    return std::make_shared<registry::RemoteNode>(record.name, record.incarnation);
  }
  auto peer = call_plane_.add(record.name, record.incarnation, record.call_address);
  emit(EventKind::node_joined, record.name);
  return peer;
}

void Membership::node_left(const std::shared_ptr<registry::RemoteNode>& node, std::string_view reason) {
  if (auto peer = std::dynamic_pointer_cast<Peer>(node)) call_plane_.drop(peer, reason);
  emit(EventKind::node_left, node->name(), reason);
}

void Membership::refused(std::string_view reason) {
  log_.error("the cluster refuses this node", {{"reason", reason}});
  outcome_.refused(reason);
}

void Membership::incarnation_raised(std::uint64_t incarnation) {
  log_.warn("another start of a node of this name was heard of; took a later incarnation",
            {{"incarnation", incarnation}});
  if (state_dir_.empty()) return;
  try {
    registry::store_incarnation(state_dir_, incarnation);
  } catch (const std::exception& failure) {
    log_.error("the incarnation is not stored", {{"error", failure.what()}});
  }
}

void Membership::emit(EventKind kind, std::string_view node, std::string_view reason) const {
  if (!events_.wants(kind)) return;
  Event event;
  event.kind = kind;
  event.node = node;
  event.reason = reason;
  events_.emit(event);
}

}  // namespace busbar::host
