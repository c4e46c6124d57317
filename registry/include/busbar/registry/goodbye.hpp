// How an orderly departure is told from any other.
#pragma once

#include <string_view>

namespace busbar::registry {

/// The reason, in words, why a node is gone that has said so itself (ClusterListener::node_left).
inline constexpr std::string_view kSaidGoodbye = "it said goodbye";

}  // namespace busbar::registry
