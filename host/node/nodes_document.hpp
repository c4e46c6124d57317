// What a node says about its cluster, as the command line shows it with --json.
#pragma once

#include <nlohmann/json.hpp>

#include "node/node.hpp"

namespace busbar::host {

/// {"nodes": […], "departed": […], "insecure": …}.
nlohmann::json nodes_document(const Node& node);

}  // namespace busbar::host
