// What a member of the cluster that is no host answers when it is asked about itself.
#pragma once

#include <busbar/wire/envelope.hpp>

#include <cstdint>
#include <memory>

#include "dispatch/peer.hpp"
#include "node/node.hpp"

namespace busbar::host {

/// Answers a query (docs/protocol.md, section 8): `nodes` with what this node knows, all else with an error in words.
/// Threads: any.
void answer_query(const Node& node, Requester& from, std::uint64_t attempt, wire::Bytes body) noexcept;

}  // namespace busbar::host
