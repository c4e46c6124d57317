#include "metrics/peer_metrics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <map>
#include <string>

#include "metrics/families.hpp"

namespace busbar::host {

namespace {

using registry::NodeRow;
using registry::NodeState;

constexpr std::array kStates = {NodeState::self, NodeState::joining, NodeState::up, NodeState::suspect,
                                NodeState::unreachable};

/// Also where there is none in a state: an alert needs the 0.
prometheus::MetricFamily by_state(const std::vector<NodeRow>& nodes,
                                  const std::vector<registry::DepartedRow>& departed) {
  std::map<NodeState, double> counts;
  for (const NodeRow& node : nodes) ++counts[node.state];
  auto family = gauge_family("busbar_nodes",
                             "Nodes that this one knows, by state; lost: gone within the last ten minutes without a "
                             "goodbye.");
  for (const NodeState state : kStates) add(family, counts[state], labels({{"state", registry::name_of(state)}}));
  const auto lost = std::count_if(departed.begin(), departed.end(), [](const auto& node) { return node.may_return; });
  add(family, static_cast<double>(lost), labels({{"state", "lost"}}));
  return family;
}

/// A node is reached where calls can be sent to it, in whatever state that is shown.
bool is_up(NodeState state) { return state == NodeState::up || state == NodeState::suspect; }

MetricFamilies by_peer(const std::vector<NodeRow>& nodes, const std::map<std::string, std::uint64_t>& connected) {
  auto up = gauge_family("busbar_peer_up", "Whether calls can be sent to that node: 1 or 0.");
  auto round_trip = gauge_family("busbar_peer_round_trip_seconds", "Round trip of the last heartbeat with that node.");
  auto reconnects = counter_family("busbar_peer_reconnects_total",
                                   "Connections for calls to that node that came up after another one had been lost.");
  for (const NodeRow& node : nodes) {
    if (node.state == NodeState::self) continue;
    const auto peer = labels({{"peer", node.name}});
    add(up, is_up(node.state) ? 1 : 0, peer);
    if (node.round_trip.count() != 0) add(round_trip, std::chrono::duration<double>(node.round_trip).count(), peer);
    const auto counted = connected.find(node.name);
    const std::uint64_t times = counted != connected.end() ? counted->second : 0;
    add(reconnects, times == 0 ? 0 : static_cast<double>(times - 1), peer);
  }
  MetricFamilies out;
  for (auto* family : {&up, &round_trip, &reconnects}) out.push_back(std::move(*family));
  return out;
}

prometheus::MetricFamily turned_away(const TurnedAwayLog& log) {
  auto family = counter_family("busbar_turned_away_total",
                               "Connections and messages of others that were turned away, by reason: refused keys are "
                               "unlisted_key, other_role, other_name and key_taken_away.");
  for (std::size_t i = 0; i < registry::net::kTurnedAwayKinds; ++i) {
    const auto why = static_cast<registry::net::TurnedAway>(i);
    add(family, static_cast<double>(log.count(why)), labels({{"reason", registry::net::name_of(why)}}));
  }
  return family;
}

}  // namespace

MetricFamilies PeerMetrics::Collect() const {
  const std::vector<NodeRow> nodes = node_.nodes();
  const CallPlaneStats calls = node_.call_stats();
  const auto number = [](std::uint64_t count) { return static_cast<double>(count); };
  MetricFamilies out = by_peer(nodes, node_.connected());
  out.push_back(by_state(nodes, node_.departed_nodes()));
  out.push_back(turned_away(node_.turned_away()));
  out.push_back(counter("busbar_nodes_joined_total", "Nodes that have become members, again and again.",
                        number(counts_->count(EventKind::node_joined))));
  out.push_back(counter("busbar_nodes_left_total", "Members that have left, or were lost.",
                        number(counts_->count(EventKind::node_left))));
  out.push_back(gauge("busbar_connections", "Nodes and clients that are connected to the address for calls.",
                      number(calls.connections)));
  out.push_back(counter("busbar_refused_hellos_total", "Introductions to the address for calls that were refused.",
                        number(calls.refused)));
  out.push_back(counter("busbar_protocol_errors_total", "Frames of the call protocol that could not be read.",
                        number(calls.malformed)));
  out.push_back(counter("busbar_unanswerable_total", "Answers whose caller had gone, or took too few of them.",
                        number(calls.unanswerable)));
  out.push_back(counter("busbar_late_answers_total", "Answers of other nodes to calls that had been given up.",
                        number(node_.dispatcher().late_answers())));
  return out;
}

}  // namespace busbar::host
