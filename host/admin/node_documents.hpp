// What a host says about its services and its cluster, as the command line shows it with --json.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "node/node.hpp"

namespace busbar::host {

/// {"services": […]}: all that such a caller can call, the node's own and those of others.
nlohmann::json services_document(const Node& node, CallerIs caller);

/// What is known of a service that the node itself offers to such a caller; nothing where it does not. As far as the
/// plugin says them with "request" and "response" (JSON Schemas) and "example".
std::optional<nlohmann::json> describe_local(const Node& node, std::string_view service, CallerIs caller);

/// The member "cluster" of the status.
nlohmann::json cluster_status(const Node& node);

}  // namespace busbar::host
