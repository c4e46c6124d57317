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
  auto peer = call_plane_.add(record.name, record.incarnation, record.call_address);
  emit(EventKind::node_joined, record.name);
  return peer;
}

void Membership::node_suspected(std::string_view node, bool suspected) {
  if (suspected) {
    log_.warn("nothing was heard of a node for a while: it is suspect, and others are asked first", {{"node", node}});
  } else {
    log_.info("a node that was suspect is heard again", {{"node", node}});
  }
}

void Membership::node_left(const std::shared_ptr<registry::RemoteNode>& node, std::string_view reason) {
  call_plane_.drop(std::static_pointer_cast<Peer>(node), reason);  // as `node_joined` made it
  emit(EventKind::node_left, node->name(), reason);
}

void Membership::node_replaced(const std::shared_ptr<registry::RemoteNode>& unused) {
  call_plane_.retire(std::static_pointer_cast<Peer>(unused));
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
