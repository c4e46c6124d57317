#include "one_node.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "people.hpp"
#include "rows.hpp"

namespace busbar::cli {

namespace {

namespace verb = wire::admin_verb;

/// Not all of very many.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) out += (i == 0 ? "" : ", ") + in_quotes(names[i]);
  return names.size() <= kMost ? out : out + " and " + std::to_string(names.size() - kMost) + " more";
}

/// Who else offers the service.
std::string offered_by_others(const Command& command, const Ask& ask, const Json& nodes) {
  std::vector<std::string> others;
  for (const Json& row : rows_of(ask, verb::kDiscover, "providers", command.service)) {
    std::string name = text_of(row, "node");
    if (name == "local" && !nodes.empty()) name = text_of(nodes[0], "name");  // the host that was asked comes first
    if (name != command.node) others.push_back(std::move(name));
  }
  return others.empty() ? "; no other node is known that does" : "; offered by " + listed(others);
}

/// What is known of the node that cannot be reached.
std::string known_of_node(const Command& command, const Json& nodes) {
  std::vector<std::string> names;
  for (const Json& row : nodes) {
    names.push_back(text_of(row, "name"));
    if (names.back() != command.node) continue;
    const std::string state = text_of(row, "state");
    return state == "up" ? "; it is up again" : "; node " + in_quotes(command.node) + " is known, and " + state;
  }
  return names.empty() ? "" : "; node " + in_quotes(command.node) + " is not known, these are: " + listed(names);
}

}  // namespace

std::optional<std::string> one_node_line(const Response& response, const Command& command, const Ask& ask,
                                         const Palette& palette) {
  if (command.node.empty()) return std::nullopt;
  if (response.kind() == Response::Kind::service_unavailable) {
    return palette(Colour::red, "service unavailable") + ": node " + in_quotes(command.node) +
           " was asked, and does not offer " + in_quotes(command.service) +
           offered_by_others(command, ask, rows_of(ask, verb::kNodes, "nodes"));
  }
  if (response.is_error(code::kBadRpc) && response.bad_rpc_kind() == badrpc::kNodedown) {
    return response_line(response, palette) + known_of_node(command, rows_of(ask, verb::kNodes, "nodes"));
  }
  return std::nullopt;
}

}  // namespace busbar::cli
